"""Syllables of names, as each region writes them. Data alone.

Columns: simplified, traditional, pinyin, Hong Kong romanisation, Macao romanisation; an
underscore stands for a space. In these tables a simplified form has one traditional form
and the other way round; given names that begin with a vowel in pinyin, which would need
an apostrophe, are left out. Frequent surnames come first.
"""

SURNAMES = """
陈 陳 Chen Chan Chan
李 李 Li Lee Lei
黄 黃 Huang Wong Wong
梁 梁 Liang Leung Leong
林 林 Lin Lam Lam
张 張 Zhang Cheung Cheong
吴 吳 Wu Ng Ng
刘 劉 Liu Lau Lao
何 何 He Ho Ho
王 王 Wang Wong Vong
杨 楊 Yang Yeung Ieong
周 周 Zhou Chow Chao
郑 鄭 Zheng Cheng Cheang
罗 羅 Luo Law Lo
叶 葉 Ye Yip Ip
谢 謝 Xie Tse Che
郭 郭 Guo Kwok Kuok
曾 曾 Zeng Tsang Chang
邓 鄧 Deng Tang Tang
冯 馮 Feng Fung Fong
许 許 Xu Hui Hoi
蔡 蔡 Cai Choi Choi
徐 徐 Xu Tsui Choi
赵 趙 Zhao Chiu Chio
朱 朱 Zhu Chu Chu
潘 潘 Pan Poon Pun
卢 盧 Lu Lo Lou
苏 蘇 Su So Sou
麦 麥 Mai Mak Mak
谭 譚 Tan Tam Tam
胡 胡 Hu Wu Wu
关 關 Guan Kwan Kuan
孙 孫 Sun Suen Sun
马 馬 Ma Ma Ma
唐 唐 Tang Tong Tong
萧 蕭 Xiao Siu Sio
黎 黎 Li Lai Lai
区 區 Ou Au Ao
莫 莫 Mo Mok Mok
陆 陸 Lu Luk Lok
伍 伍 Wu Ng Ng
方 方 Fang Fong Fong
高 高 Gao Ko Kou
彭 彭 Peng Pang Pang
袁 袁 Yuan Yuen Un
温 溫 Wen Wan Wan
欧阳 歐陽 Ouyang Au-yeung Ao_Ieong
司徒 司徒 Situ Szeto Si_Tou
"""

MENS = """
伟 偉 wei wai vai
明 明 ming ming meng
强 強 qiang keung keong
华 華 hua wah wa
国 國 guo kwok kuok
建 建 jian kin kin
健 健 jian kin kin
杰 傑 jie kit kit
辉 輝 hui fai fai
荣 榮 rong wing weng
德 德 de tak tak
海 海 hai hoi hoi
成 成 cheng shing seng
诚 誠 cheng shing seng
浩 浩 hao ho hou
豪 豪 hao ho hou
轩 軒 xuan hin hin
宇 宇 yu yu u
龙 龍 long lung long
振 振 zhen chun chan
锋 鋒 feng fung fong
峰 峰 feng fung fong
耀 耀 yao yiu io
祥 祥 xiang cheung cheong
康 康 kang hong hong
立 立 li lap lap
权 權 quan kuen kun
东 東 dong tung tong
宏 宏 hong wang wang
鸿 鴻 hong hung hong
世 世 shi sai sai
泽 澤 ze chak chak
凯 凱 kai hoi hoi
"""

EITHER = """
家 家 jia ka ka
嘉 嘉 jia ka ka
志 志 zhi chi chi
智 智 zhi chi chi
文 文 wen man man
俊 俊 jun chun chon
君 君 jun kwan kuan
永 永 yong wing weng
咏 詠 yong wing weng
子 子 zi tsz chi
少 少 shao siu sio
晓 曉 xiao hiu hio
"""

WOMENS = """
丽 麗 li lai lai
玲 玲 ling ling leng
芳 芳 fang fong fong
美 美 mei mei mei
梅 梅 mei mui mui
英 英 ying ying ieng
莹 瑩 ying ying ieng
颖 穎 ying wing weng
凤 鳳 feng fung fong
娟 娟 juan kuen kun
霞 霞 xia ha ha
惠 惠 hui wai wai
慧 慧 hui wai wai
淑 淑 shu shuk sok
婷 婷 ting ting teng
欣 欣 xin yan ian
怡 怡 yi yee i
仪 儀 yi yee i
诗 詩 shi sze si
敏 敏 min man man
静 靜 jing ching cheng
燕 燕 yan yin in
秀 秀 xiu sau sao
珍 珍 zhen chun chan
兰 蘭 lan lan lan
萍 萍 ping ping peng
雅 雅 ya nga nga
雪 雪 xue suet sut
月 月 yue yuet ut
倩 倩 qian sin sin
芷 芷 zhi tsz chi
晴 晴 qing ching cheng
琪 琪 qi ki kei
琳 琳 lin lam lam
洁 潔 jie kit kit
红 紅 hong hung hong
玉 玉 yu yuk iok
佩 佩 pei pui pui
宝 寶 bao po pou
"""

# Macao's Portuguese families: written in Latin letters in every region.
PORTUGUESE_SURNAMES = ("da Silva", "dos Santos", "Gomes", "Lopes", "Noronha", "do Rosário")
PORTUGUESE_MENS = ("António", "Carlos", "João", "José", "Luís", "Miguel")
PORTUGUESE_WOMENS = ("Ana", "Beatriz", "Fátima", "Helena", "Maria", "Teresa")
