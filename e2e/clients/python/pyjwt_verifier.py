"""PyJWT (PyPI) as a resource server: verifies one access token for each line, with a key set that
it fetched once and fetches again for a key that it does not know.

    python pyjwt_verifier.py ISSUER AUDIENCE

Says `ready`, then `ok SUB` or `refused` for each line.
"""

import sys

import jwt


def main():
    issuer, audience = sys.argv[1:]
    # It pauses half a minute after each fetch unless told otherwise, which is longer than the test.
    keys = jwt.PyJWKClient(issuer + "/.well-known/jwks.json", cooldown_duration=5)
    keys.get_signing_keys()
    print("ready", flush=True)
    for line in sys.stdin:
        token = line.strip()
        try:
            key = keys.get_signing_key_from_jwt(token).key
            claims = jwt.decode(token, key, ["ES256"], audience=audience, issuer=issuer)
            print("ok " + claims["sub"], flush=True)
        except jwt.PyJWTError as error:
            print(f"refused: {error}", file=sys.stderr)
            print("refused", flush=True)


main()
