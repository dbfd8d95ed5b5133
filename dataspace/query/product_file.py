"""The product file: YAML text to a `Product`. Touches no file; errors name key and line."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from dataspace.errors import Malformed
from dataspace.query.product import Offer, Product

MAX_BYTES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without duplicate keys, anchors or aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # SECURITY: aliases let a small file unfold into gigabytes.
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed in a product file")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.value == "<<":
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"a key must be a plain word (line {line})")
            if key_node.value in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"key {key_node.value!r} stands twice (line {line})")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def parse_product(text: bytes) -> Product:
    """Parse one product file. Raises `Malformed` naming the key that is wrong."""
    if len(text) > MAX_BYTES:
        raise Malformed("the product file is larger than 1 MB", code="product-file")
    try:
        document = yaml.load(text.decode("utf-8"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise Malformed(
            f"the product file is not valid YAML: {error}", code="product-file"
        ) from None
    except RecursionError:
        raise Malformed("the product file nests too deeply", code="product-file") from None
    if not isinstance(document, dict):
        raise Malformed("the product file must be a mapping of keys", code="product-file")
    try:
        return Product.model_validate(document)
    except ValidationError as error:
        raise Malformed(f"product file: {_first(error)}", code="product-file") from None


def parse_offer(text: bytes) -> Offer:
    """Parse the published part as an operator signed it."""
    try:
        return Offer.model_validate_json(text)
    except ValidationError as error:
        raise Malformed(f"product offer: {_first(error)}", code="product-offer") from None


def _first(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    first = details[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "unknown key; see the list of keys in docs/product-file.md"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{where}: {what}{more}" if where else f"{what}{more}"
