"""Syllables of Cantonese and Mandarin, and which is most often which in names. Data alone.

`JYUTPING`: all toneless syllables of Cantonese in Jyutping. `GIVEN`: for each toneless
pinyin syllable the Cantonese reading, in Jyutping, of the character that it most often
stands for in given names; `FAMILY`: the same for family names, where it differs.

Sources of the facts: readings as ToJyutping and pypinyin give them, frequency of
characters as in the personal names of the jieba dictionary; family names corrected for
those that are frequent in Guangdong, and many given ones by hand.
"""

JYUTPING = """
aa aai aak aan aang aap aat aau ai ak am ang au baa baai baak baan baat baau bai bak bam ban
bang bat bau be bei beng bik bin bing bit biu bo bok bong bou bui buk bun bung but caa caai caak
caam caan caang caap caat caau cai cak cam can cang cap cat cau ce cek ceng ceoi ceon ceot ci
cik cim cin cing cip cit ciu co coek coeng coi cok cong cou cuk cung cyu cyun cyut daa daai daam
daan daap daat dai dak dam dan dang dat dau de dei dek deng deoi deon deot di dik dim din ding
dip dit diu do doe doek doi dok dong dou duk dung dyun dyut ei faa faai faan faat fai fan fat
fau fe fei fo fok fong fu fui fuk fun fung fut gaa gaai gaak gaam gaan gaang gaap gaat gaau gai
gam gan gang gap gat gau gei geng geoi gik gim gin ging gip git giu go goe goek goeng goi gok
gon gong got gou gu gui guk gun gung gwaa gwaai gwaak gwaan gwaang gwaat gwai gwan gwang gwat
gwik gwing gwo gwok gwong gyun gyut haa haai haak haam haan haang haap haau hai hak ham han hang
hap hat hau hei hek heoi hik him hin hing hip hit hiu hm ho hoe hoeng hoi hok hon hong hot hou
huk hung hyun hyut jaa jai jam jan jap jat jau je jeng jeoi jeon ji jik jim jin jing jip jit jiu
jo joek joeng juk jung jyu jyun jyut kaa kaai kaak kaat kaau kai kam kan kang kap kat kau ke kei
kek keoi kik kim kin king kit kiu ko koek koeng koi kok kong ku kui kuk kung kut kwaa kwaang
kwai kwan kwik kwok kwong kyun kyut laa laai laam laan laang laap laat laau lai lak lam lap lat
lau le lei lek leng leoi leon leot li lik lim lin ling lip lit liu lo loek loeng loi lok long
lou luk lung lyun lyut m maa maai maak maan maang maau mai mak man mang mat mau me mei meng mik
min ming mit miu mo mok mong mou mui muk mun mung mut naa naai naam naan naap naat naau nai nam
nan nang nap nau ne nei neoi neot ng ngaa ngaai ngaak ngaam ngaan ngaang ngaat ngaau ngai ngak
ngan ngap ngat ngau ngit ngo ngoi ngok ngon ngong ngou nik nim nin ning nip nit niu no noeng noi
nok nong nou nuk nung nyun o oi ok on ong ou paa paai paak paan paang paau pai pan pang pat pau
pei pek peng pik pin ping pit piu po pok pong pou pui puk pun pung put saa saai saak saam saan
saang saap saat saau sai sak sam san sang sap sat sau se sei sek seng seoi seon seot si sik sim
sin sing sip sit siu so soek soeng soi sok song sou suk sung syu syun syut taa taai taam taan
taap taat tai tam tan tang tau tek teng teoi teon teot tik tim tin ting tip tit tiu to toi tok
tong tou tuk tung tyun tyut uk ung waa waai waak waan waang waat wai wan wang wat wik wing wo
wok wong wu wui wun wut zaa zaai zaak zaam zaan zaang zaap zaat zaau zai zak zam zan zang zap
zat zau ze zek zeng zeoi zeon zeot zi zik zim zin zing zip zit ziu zo zoek zoeng zoi zok zong
zou zuk zung zyu zyun zyut
"""

GIVEN = """
a:aa ai:oi an:on ang:ngong ao:ou ba:baa bai:baak ban:baan bang:bong bao:bou bei:bui ben:bun
beng:bang bi:bik bian:bin biao:biu bie:bit bin:ban bing:bing bo:bok bu:bou ca:caat cai:coi
can:caam cang:cong cao:cou ce:caak cen:sam ceng:cang cha:caa chai:caai chan:sim chang:coeng
chao:ciu che:ce chen:san cheng:sing chi:ci chong:cung chou:cau chu:co chua:fat chuai:zyut
chuan:cyun chuang:cong chui:ceoi chun:ceon chuo:coek ci:ci cong:cung cou:cau cu:cuk cuan:cyun
cui:ceoi cun:cyun cuo:co da:daai dai:doi dan:daan dang:dong dao:dou de:dak deng:dang di:dik
dian:din diao:diu die:dip ding:ding diu:diu dong:dung dou:dau du:dou duan:dyun dui:deoi dun:deon
duo:do e:ngo en:jan er:ji fa:faat fan:faan fang:fong fei:fei fen:fan feng:fung fou:fau fu:fu
ga:gaa gai:goi gan:gam gang:gong gao:gou ge:go gei:kap gen:gan geng:gang gong:gung gou:gau gu:gu
gua:gwaa guai:gwaai guan:gun guang:gwong gui:gwai gun:gwan guo:gwok ha:haa hai:hoi han:hon
hang:hong hao:hou he:ho hei:hak hen:han heng:hang hong:hung hou:hau hu:wu hua:waa huai:waai
huan:wun huang:wong hui:wai hun:wan huo:fo ji:gei jia:gaa jian:gin jiang:gong jiao:giu jie:git
jin:gam jing:zing jiong:gwing jiu:gau ju:geoi juan:gyun jue:zoek jun:zeon ka:kaa kai:hoi kan:ham
kang:hong kao:haau ke:ho ken:hang keng:hang kong:hung kou:hau ku:fu kua:kwaa kuai:faai kuan:fun
kuang:hong kui:fui kun:kwan kuo:fut la:laai lai:loi lan:laan lang:long lao:lou le:lok lei:leoi
leng:laang li:lai lian:lin liang:loeng liao:liu lie:lit lin:lam ling:ling liu:lau long:lung
lou:lau lu:lou luan:lyun lun:leon luo:lo lv:leoi lve:loek ma:maa mai:mak man:maan mang:mong
mao:mou me:mak mei:mei men:mun meng:mung mi:mat mian:min miao:miu mie:mit min:man ming:ming
miu:mau mo:mak mou:mau mu:muk na:naa nai:naai nan:naam nang:nong nao:naau ne:ne nei:noi nen:nyun
neng:nang ni:nei nian:nin niang:noeng niao:niu nie:nip nin:nei ning:ning niu:ngau nong:nung
nou:nau nu:nou nuan:nyun nuo:nok nv:neoi nve:joek ou:au pa:paak pai:paai pan:pun pang:pong
pao:paau pei:pui pen:pun peng:paang pi:pei pian:pin piao:piu pie:pit pin:ban ping:ping po:bo
pou:fau pu:pou qi:kei qia:hap qian:sin qiang:koeng qiao:kiu qie:cit qin:kam qing:cing qiong:king
qiu:cau qu:keoi quan:kyun que:zoek qun:kwan ran:jin rang:joeng rao:jiu re:jit ren:jan reng:jing
ri:jat rong:wing rou:jau ru:jyu ruan:jyun rui:jeoi run:jeon ruo:joek sa:saat sai:coi san:saam
sang:song sao:sou se:sik sen:sam seng:zang sha:saa shai:sai shan:saan shang:soeng shao:siu
she:se shen:san sheng:sing shi:si shou:sau shu:syu shua:caat shuai:seoi shuan:saan shuang:soeng
shui:seoi shun:seon shuo:sek si:si so:so song:cung sou:sau su:sou suan:syun sui:seoi sun:syun
suo:sok ta:taap tai:taai tan:taan tang:tong tao:tou te:dak teng:tang ti:tai tian:tin tiao:tiu
tie:tit ting:ting tong:tung tou:tau tu:tou tuan:tyun tui:teoi tun:tyun tuo:tok wa:waa wai:ngoi
wan:wan wang:wong wei:wai wen:man weng:jung wo:wo wu:mou xi:hei xia:haa xian:sin xiang:coeng
xiao:siu xie:ze xin:san xing:hing xiong:hing xiu:sau xu:juk xuan:hyun xue:syut xun:seon ya:ngaa
yan:jin yang:joeng yao:jiu ye:je yi:ji yin:jan ying:jing yong:wing you:jau yu:jyu yuan:jyun
yue:jyut yun:wan za:zaap zai:zoi zan:zaan zang:zong zao:zou ze:zaak zen:zam zeng:zang zha:zaat
zhai:zaai zhan:zin zhang:zoeng zhao:ziu zhe:zit zhen:zan zheng:zing zhi:zi zhong:zung zhou:zau
zhu:zyu zhua:zaau zhuan:zyun zhuang:zong zhui:zeoi zhun:zeon zhuo:coek zi:zi zong:zung zou:zau
zu:zou zuan:zyun zui:zeoi zun:zyun zuo:zo 瓧:sap
"""

FAMILY = """
an:on bai:baak bao:baau cai:coi cao:cou chang:soeng chen:can cheng:cing cui:ceoi dai:daai
deng:dang ding:ding dong:dung du:dou fan:faan fang:fong feng:fung fu:fu gao:gou ge:got gong:gung
gu:gu guan:gwaan guo:gwok han:hon hao:kok he:ho hong:hung hou:hau hu:wu huang:wong huo:fok ji:gei
jia:gaa jiang:gong jin:gam ke:o kong:hung lai:laai lei:leoi li:lei liang:loeng liao:liu lin:lam
ling:ling liu:lau long:lung lu:lou luo:lo lv:leoi ma:maa mai:mak mao:mou mei:mui meng:maang
mo:mok ni:ngai ning:ning niu:ngau ou:au pan:pun pang:pong peng:paang qi:cai qian:cin qin:ceon
qiu:jau ren:jam ruan:jyun shao:siu she:se shen:sam shi:si shu:syu si:si song:sung su:sou sun:syun
tan:taam tang:tong tao:tou tian:tin tong:tung wan:maan wang:wong wei:ngai wen:wan wu:ng xia:haa
xian:sin xiang:hoeng xiao:siu xie:ze xin:san xing:jing xiong:hung xu:heoi xue:sit yan:ngaan
yang:joeng yao:jiu ye:jip yi:ji yin:wan you:jau yu:jyu yuan:jyun yue:ngok zeng:zang zhai:zaak
zhan:zim zhang:zoeng zhao:ziu zheng:zeng zhong:zung zhou:zau zhu:zyu zou:zau
"""

FAMILY_READINGS = {
    "区": "au", "曾": "zang", "单": "sin", "仇": "kau", "查": "zaa", "任": "jam", "翟": "zaak",
    "盖": "gap", "解": "haai", "朴": "piu", "乐": "ngok", "华": "waa", "令": "ling",
}  # fmt: skip
"""Characters that sound otherwise as family names; simplified."""

COMPOUND = frozenset({
    "欧阳", "司徒", "上官", "诸葛", "司马", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "端木",
    "令狐", "东方", "西门", "南宫", "独孤", "长孙", "宇文", "鲜于", "闻人", "申屠", "太史",
})  # fmt: skip
"""Family names of two characters; simplified."""

SAME_FAMILY = "tang:tong ng:wu lo:lok lau:liu li:lai hoi:coi wang:wong cun:san"
"""Family names that share a spelling across the three systems: `Tang` is 鄧 in Hong Kong and
唐 in pinyin, `Wu` 胡 and 吳, `Lu` 盧 and 陸, `Liu` 廖 and 劉, `Li` 李 and 黎, `Choi` 徐 and 蔡."""
