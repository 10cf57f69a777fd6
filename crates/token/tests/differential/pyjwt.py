"""Verifies and signs with PyJWT: one JSON document on stdin, one on stdout."""

import base64
import json
import sys

import jwt

REQUIRED = ["iss", "aud", "exp", "iat", "sub", "jti", "client_id"]


def verification_key(case):
    if "secret" in case:
        return base64.b64decode(case["secret"])
    return jwt.PyJWK(case["jwk"]).key


def verify(case, issuer, audience):
    try:
        jwt.decode(
            case["token"],
            verification_key(case),
            algorithms=[case["alg"]],
            issuer=issuer,
            audience=audience,
            options={"require": REQUIRED},
        )
    except Exception as error:  # whatever it is, the token was not accepted
        return f"{type(error).__name__}: {error}"
    return None


def sign(case):
    key = base64.b64decode(case["secret"]) if "secret" in case else case["pem"]
    headers = {"typ": "at+jwt", "kid": case["kid"]}
    return jwt.encode(case["claims"], key, algorithm=case["alg"], headers=headers)


def main():
    asked = json.load(sys.stdin)
    verified = [verify(case, asked["issuer"], asked["audience"]) for case in asked["verify"]]
    signed = [sign(case) for case in asked["sign"]]
    json.dump({"version": jwt.__version__, "verified": verified, "signed": signed}, sys.stdout)


main()
