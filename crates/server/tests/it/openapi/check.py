"""Checks the document of /openapi.json by OpenAPI 3.1, and requests and answers by the document.

Reads {"document": …, "exchanges": [{"operation", "request", "status", "media_type", "headers",
"answer"}]} from standard input. Prints what is wrong and ends with 1 if anything is.
"""

import copy
import json
import sys

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import OpenAPIV31SpecValidator


def closed(value):
    """Answers may grow, so the document leaves their schemas open; here an unknown member is one
    that somebody forgot to write down."""
    if isinstance(value, dict):
        value = {name: closed(member) for name, member in value.items()}
        if isinstance(value.get("properties"), dict):
            value.setdefault("additionalProperties", False)
        return value
    return [closed(item) for item in value] if isinstance(value, list) else value


def resolved(document, value):
    while "$ref" in value:
        target = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def complaints(components, schema, value):
    # The components stand beside the schema, so that its references find them.
    whole = {**schema, "components": components}
    validator = OAS31Validator(whole, format_checker=oas31_format_checker)
    for error in validator.iter_errors(value):
        yield f"{error.json_path}: {error.message}"


def answer_complaints(document, components, operation, exchange):
    answer = resolved(document, operation["responses"][str(exchange["status"])])
    for name, header in answer.get("headers", {}).items():
        if resolved(document, header).get("required") and name not in exchange["headers"]:
            yield f"the header {name} is missing"
    content = answer.get("content")
    if content is None:
        if exchange["answer"] is not None:
            yield "a body that the document does not know"
        return
    if exchange["media_type"] not in content:
        yield f"the media type {exchange['media_type']}"
        return
    schema = closed(copy.deepcopy(content[exchange["media_type"]]["schema"]))
    yield from complaints(components, schema, exchange["answer"])


def request_complaints(document, operation, exchange):
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if exchange["status"] < 300 and content is not None:
        yield from complaints(document["components"], content["schema"], exchange["request"])


def main():
    given = json.load(sys.stdin)
    document = given["document"]
    found = [
        f"document: {error.json_path}: {error.message}"
        for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    components = closed(document["components"])
    for exchange in given["exchanges"]:
        method, path = exchange["operation"].split(" ")
        operation = document["paths"][path][method]
        wrong = [*answer_complaints(document, components, operation, exchange)]
        wrong += request_complaints(document, operation, exchange)
        found += [f"{exchange['operation']} {exchange['status']}: {what}" for what in wrong]
    print("\n".join(found))
    return 1 if found else 0


sys.exit(main())
