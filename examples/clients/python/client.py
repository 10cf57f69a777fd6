"""A client of Munjigi and of the planner: sign up, sign in, call, refresh, sign out.

    python client.py [--issuer http://localhost:8000] [--planner http://localhost:8001]

Ends with an error when anything is not as it should be.
"""

import argparse
import secrets
import sys

import requests

TIMEOUT = 10


def expect(step, response, status):
    """Prints a step and ends the program unless the status is the expected one."""
    print(f"{step}: {response.status_code}")
    if response.status_code != status:
        sys.exit(f"expected {status}, got {response.status_code}: {response.text}")
    return response


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--issuer", default="http://localhost:8000")
    parser.add_argument("--planner", default="http://localhost:8001")
    options = parser.parse_args()
    users = f"{options.issuer}/api/v1/users"
    events = f"{options.planner}/events"

    # Nobody's password is "password": the server says why it refuses it.
    name = f"gildong{secrets.token_hex(4)}"
    account = {"email": f"{name}@test.com", "password": "password", "username": name}
    refused = requests.post(f"{users}/signup", json=account, timeout=TIMEOUT)
    print("why not:", expect("sign up with a common password", refused, 422).json()["detail"])
    account["password"] = secrets.token_urlsafe(12)
    expect("sign up", requests.post(f"{users}/signup", json=account, timeout=TIMEOUT), 201)

    credentials = {"email": account["email"], "password": account["password"]}
    signed_in = requests.post(f"{users}/signin", json=credentials, timeout=TIMEOUT)
    tokens = expect("sign in", signed_in, 200).json()

    event = {
        "title": "첫번째 타이틀",
        "image": "https://dummyimage.com/200x200/ccc/ff0.png?text=sample",
        "description": "첫번째 샘플 이벤트 입니다.",
        "tags": ["python", "fastapi", "sample"],
        "location": "Google Doc",
    }
    expect("add an event without a token", requests.post(events, json=event, timeout=TIMEOUT), 401)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    added = requests.post(events, json=event, headers=bearer, timeout=TIMEOUT)
    expect("add an event", added, 201)
    me = expect("who am I", requests.get(f"{users}/me", headers=bearer, timeout=TIMEOUT), 200).json()
    listed = expect("list the events", requests.get(events, timeout=TIMEOUT), 200).json()
    if not any(one["owner"] == me["id"] for one in listed):
        sys.exit("the event is not listed as ours")

    # RFC 6749 §6. The answer holds a new refresh token; the old one is spent.
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refreshed = requests.post(f"{options.issuer}/oauth2/token", data=form, timeout=TIMEOUT)
    tokens = expect("refresh", refreshed, 200).json()

    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    expect("sign out", requests.post(f"{users}/signout", headers=bearer, timeout=TIMEOUT), 204)
    form["refresh_token"] = tokens["refresh_token"]
    refused = requests.post(f"{options.issuer}/oauth2/token", data=form, timeout=TIMEOUT)
    expect("refresh after that", refused, 400)
    print("done")


if __name__ == "__main__":
    main()
