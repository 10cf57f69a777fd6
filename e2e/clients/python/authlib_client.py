"""Authlib (PyPI) through code and PKCE, refresh, introspection and revocation.

    python authlib_client.py ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI

Prints one line for each part that went as it should.
"""

import http.cookies
import os
import re
import sys
import urllib.parse

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

TIMEOUT = 10


class Person:
    """What a person does at the pages: keeps cookies, fills in the forms that come."""

    def __init__(self, issuer, username, password):
        self.issuer, self.username, self.password = issuer, username, password
        self.cookies = {}

    def fetch(self, method, url, fields=None, headers=()):
        """One request. Browsers keep Secure cookies of this machine without TLS, requests does
        not."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = requests.request(
            method,
            url,
            data=fields,
            headers={"cookie": cookie, **dict(headers)},
            allow_redirects=False,
            timeout=TIMEOUT,
        )
        for line in answer.raw.headers.getlist("set-cookie"):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        return answer

    def authorize(self, request):
        """Goes where an authorization request leads, until the client is reached; its URL."""
        at = request
        for _ in range(12):
            if not at.startswith(self.issuer):
                return at
            answer = self.fetch("GET", at)
            if answer.status_code == 200:
                answer = self.send(at, answer.text)
            assert answer.status_code == 303, (answer.status_code, at, answer.text)
            at = urllib.parse.urljoin(at, answer.headers["location"])
        raise AssertionError("a circle of redirects")

    def send(self, page, text):
        fields = {"username": self.username, "password": self.password, "action": "sign-in"}
        if urllib.parse.urlparse(page).path.endswith("/consent"):
            shown = re.search('name="shown" value="([^"]*)"', text).group(1)
            fields = {"action": "allow", "shown": shown}
        return self.fetch("POST", page, fields, {"sec-fetch-site": "same-origin"})


def id_token_claims(metadata, token, nonce, client_id):
    """Checks an ID token as Authlib's own integrations do."""
    keys = requests.get(metadata["jwks_uri"], timeout=TIMEOUT).json()
    algorithms = metadata["id_token_signing_alg_values_supported"]
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), registry=registry)
    options = {"iss": {"essential": True, "values": [metadata["issuer"]]}}
    expected = {"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]}
    claims = CodeIDToken(decoded.claims, decoded.header, options, expected)
    claims.validate()
    return claims


def refused(error, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except OAuthError as problem:
        assert problem.error == error, problem
    else:
        raise AssertionError(f"not refused: {error}")


def main():
    # Authlib insists on TLS, which nobody has on loopback.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    issuer, client_id, client_secret, redirect_uri = sys.argv[1:]
    document = f"{issuer}/.well-known/openid-configuration"
    metadata = requests.get(document, timeout=TIMEOUT).json()
    # RFC 8414 §2 as the library sees it; of the document it wants https alone, which loopback
    # has not.
    checked = {name: value for name, value in metadata.items() if "http://" not in str(value)}
    AuthorizationServerMetadata(checked).validate_code_challenge_methods_supported()
    client = OAuth2Session(
        client_id,
        client_secret,
        token_endpoint_auth_method="client_secret_basic",
        revocation_endpoint_auth_method="client_secret_basic",
        scope="openid profile email",
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
    )

    verifier, nonce = generate_token(48), generate_token()
    request, state = client.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    reached = Person(issuer, "minji", "demo-minji").authorize(request)
    parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(reached).query))
    assert parameters["iss"] == issuer, "RFC 9207"
    redeem = {"authorization_response": reached, "state": state}
    token = client.fetch_token(metadata["token_endpoint"], code_verifier=verifier, **redeem)
    claims = id_token_claims(metadata, token, nonce, client_id)
    told = client.get(metadata["userinfo_endpoint"], timeout=TIMEOUT).json()
    assert told["sub"] == claims["sub"] and told["email"] == "minji@demo.local", told
    print("code")

    renewed = client.refresh_token(metadata["token_endpoint"], token["refresh_token"])
    assert renewed["access_token"] != token["access_token"]
    print("refresh")

    def introspect(text, hint):
        answer = client.introspect_token(metadata["introspection_endpoint"], text, hint)
        assert answer.status_code == 200, answer.text
        return answer.json()

    active = introspect(renewed["access_token"], "access_token")
    assert active["active"] and active["sub"] == claims["sub"], active
    assert introspect(renewed["refresh_token"], "refresh_token")["active"]
    assert introspect("garbage", "access_token") == {"active": False}
    print("introspection")

    given_back = client.revoke_token(
        metadata["revocation_endpoint"], renewed["refresh_token"], "refresh_token"
    )
    assert given_back.status_code == 200, given_back.text
    for text, hint in [
        (renewed["access_token"], "access_token"),
        (renewed["refresh_token"], "refresh_token"),
        (token["access_token"], "access_token"),
    ]:
        assert introspect(text, hint) == {"active": False}, hint
    bearer = {"authorization": f"Bearer {renewed['access_token']}"}
    refusal = requests.get(metadata["userinfo_endpoint"], headers=bearer, timeout=TIMEOUT)
    assert refusal.status_code == 401, refusal.text
    refused(
        "invalid_grant", client.refresh_token, metadata["token_endpoint"], renewed["refresh_token"]
    )
    refused(
        "invalid_grant",
        client.fetch_token,
        metadata["token_endpoint"],
        code_verifier=verifier,
        **redeem,
    )
    print("revocation")


main()
