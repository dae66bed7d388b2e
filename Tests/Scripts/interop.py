#!/usr/bin/env python3
"""Checks that Gatehouse and PyJWT agree about tokens, in both directions.

    python3 interop.py GATEHOUSE      the built program

Needs PyJWT (PyPI). python-jose and joserfc read Gatehouse's tokens, too, if they are installed.
"""

import base64
import importlib.util
import sys
import time

import jwt

from server import KEY, SECOND_KEY, expect, serving, sign_token

ISSUER = "https://gatehouse.test"
AUDIENCE = "scripts"
CLAIMS = {"iss", "sub", "user_id", "aud", "iat", "nbf", "exp", "jti", "sid", "auth_time", "sxp"}
TTL, SESSION = 1800, 43200


def read(token, key=KEY):
    """The claims of a token, verified by PyJWT with all checks that it has."""
    return jwt.decode(
        token, key, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE, leeway=0,
        options={"require": sorted(CLAIMS), "verify_signature": True, "verify_exp": True,
                 "verify_nbf": True, "verify_iat": True, "verify_aud": True, "verify_iss": True,
                 "verify_sub": True, "verify_jti": True, "strict_aud": False})


def decoded(segment):
    expect("=" not in segment, "a segment has padding")
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def check_issued(token, user, before, after):
    """Checks every claim in the token of a new session. Returns the claims."""
    expect(jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "first"},
           f"the header is {jwt.get_unverified_header(token)}")
    claims = read(token)
    expect(set(claims) == CLAIMS, f"the claims are {sorted(claims)}")
    expect(claims["iss"] == ISSUER and claims["aud"] == AUDIENCE, "iss or aud")
    expect(claims["sub"] == str(user) and claims["user_id"] == user, "sub or user_id")
    expect(type(claims["user_id"]) is int, "user_id is not an integer")
    expect(int(before) <= claims["iat"] <= after, f"iat is {claims['iat']} at {after}")
    expect(claims["nbf"] == claims["iat"], "nbf is not iat")
    expect(claims["exp"] == claims["iat"] + TTL, "exp")
    expect(claims["auth_time"] == int(claims["iat"]), "auth_time")
    expect(claims["sxp"] == claims["iat"] + SESSION, "sxp")
    expect(len(decoded(claims["jti"])) == 16, "jti does not have 128 bits")
    expect(len(decoded(claims["sid"])) >= 16 and claims["sid"] != claims["jti"], "sid")
    return claims


def check_login_and_refresh(server):
    before = time.time()
    response = server.request("/login", "POST", json_body={"user_id": 2})
    token = response.json["token"]
    claims = check_issued(token, 2, before, time.time())
    expect(response.json["expires_in"] in (TTL, TTL - 1), "expires_in")
    for wrong in ("another key, of thirty-two bytes or so", SECOND_KEY):
        try:
            read(token, wrong)
            expect(False, "PyJWT accepts a token with another key")
        except jwt.InvalidSignatureError:
            pass

    # The refreshed token differs only in the claims that may change.
    response = server.request("/refresh", "POST", token=token)
    expect(response.status == 200, f"refresh: {response.status}")
    new = read(response.json["token"])
    differing = {name for name in CLAIMS if new[name] != claims[name]}
    expect("jti" in differing and differing <= {"jti", "iat", "nbf", "exp"},
           f"a refresh changed {sorted(differing)}")
    expect(new["exp"] >= claims["exp"] and new["exp"] <= new["sxp"], "exp after a refresh")
    expect(server.request("/resource", token=response.json["token"]).status == 200,
           "the refreshed token")
    print(f"PyJWT accepts the tokens of /login and /refresh: {len(CLAIMS)} claims each")


def check_same_second(server):
    """A token issued in the second of a logout has a later iat than the logout, with a fraction if
    needed."""
    fractions = 0
    for _ in range(5):
        old = server.login(2)
        response = server.request("/logout/all", "POST", token=old)
        expect(response.status == 204, f"logout/all: {response.status}")
        new = server.login(2)
        claims = read(new)
        fractions += not isinstance(claims["iat"], int)
        expect(server.request("/resource", token=new).status == 200, "a new token after logout/all")
        refused = server.request("/resource", token=old)
        expect((refused.status, refused.error) == (401, "Token revoked"),
               "an old token after logout/all")
        response = server.request("/refresh", "POST", token=new)
        expect(response.status == 200, f"its refresh: {response.status} {response.body!r}")
        read(response.json["token"])
        expect(server.request("/resource", token=response.json["token"]).status == 200,
               "the refreshed token")
    print(f"PyJWT accepts tokens from the second of a logout ({fractions} of 5 with fractions)")


def check_other_libraries(server):
    token = server.login(1)
    expected = read(token)
    names = []
    if importlib.util.find_spec("jose"):
        from jose import jwt as jose

        claims = jose.decode(token, KEY, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER,
                             options={f"require_{name}": True for name in
                                      ("aud", "iat", "exp", "nbf", "iss", "sub", "jti")})
        expect(claims == expected, "python-jose returns other claims")
        names.append("python-jose")
    if importlib.util.find_spec("joserfc"):
        from joserfc import jwt as joserfc
        from joserfc.jwk import OctKey

        decoded_token = joserfc.decode(token, OctKey.import_key(KEY), algorithms=["HS256"])
        joserfc.JWTClaimsRegistry(
            leeway=0, iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE}).validate(decoded_token.claims)
        expect(decoded_token.claims == expected, "joserfc returns other claims")
        names.append("joserfc")
    if names:
        print(f"so do {' and '.join(names)}")


def new_token(payload=None, key=KEY, algorithm="HS256", headers=None, **more):
    now = int(time.time())
    claims = {"user_id": 1, "iat": now, "exp": now + 600} if payload is None else payload
    return jwt.encode({**claims, **more}, key, algorithm=algorithm, headers=headers)


def check_accepted(server):
    """A server that checks neither issuer nor audience accepts these tokens of PyJWT."""
    now = time.time()
    whole = int(now)
    full = {"iss": "elsewhere", "sub": "1", "user_id": 1, "aud": "anyone", "iat": whole,
            "nbf": whole, "exp": whole + 600, "jti": "j-1", "sid": "s-1", "auth_time": whole,
            "sxp": whole + 3600, "scope": "read write", "nested": {"list": [1, 2.5, None, True]}}
    tokens = {
        "minimal": new_token(),
        "user_id alone with exp": new_token({"user_id": 1, "exp": whole + 600}),
        "full": new_token(full),
        "with the first kid": new_token(headers={"kid": "first"}),
        "with the second kid": new_token(key=SECOND_KEY, headers={"kid": "second"}),
        "without kid, with the second key": new_token(key=SECOND_KEY),
        "fractional dates": new_token(
            {"user_id": 1, "iat": now - 0.25, "nbf": now - 0.25, "exp": now + 600.125}),
        "aud as a list": new_token(full, aud=["anyone", "someone"]),
        "another typ": new_token(headers={"typ": "at+jwt"}),
        "no typ": new_token(headers={"typ": None}),
        "other header members": new_token(headers={"x": {"y": 1}}),
        "far exp": new_token(exp=4_000_000_000),
        "names in other scripts": new_token(name="\u0391\u03bb\u03af\u03ba\u03b7 \U0001f511"),
    }
    for name, token in tokens.items():
        response = server.request("/resource", token=token)
        expect(response.status == 200, f"{name}: {response.status} {response.body!r}")
        expect(response.json == {"user": {"id": 1, "name": "Alice"}}, f"{name}: {response.body!r}")
    print(f"Gatehouse accepts tokens of PyJWT: {len(tokens)} kinds")
    return full


def check_refused(server):
    now = int(time.time())
    claims = {"user_id": 1, "iat": now, "exp": now + 600}
    invalid = {
        "none": new_token(algorithm="none", key=""),
        "HS384 with the same key": new_token(algorithm="HS384"),
        "HS512 with the same key": new_token(algorithm="HS512"),
        "another key": new_token(key="another key, of thirty-two bytes or so"),
        "the second key under the first kid": new_token(
            key=SECOND_KEY, headers={"kid": "first"}),
        "an unknown kid": new_token(headers={"kid": "third"}),
        "nbf ahead": new_token(nbf=now + 300),
        "crit": sign_token(claims, header={"alg": "HS256", "typ": "JWT", "crit": ["exp"]}),
        "crit, empty": sign_token(claims, header={"alg": "HS256", "crit": []}),
        "alg in small letters": sign_token(claims, header={"alg": "hs256"}),
        "no exp": new_token({"user_id": 1, "iat": now}),
        "no user": new_token({"iat": now, "exp": now + 600}),
        "user_id true": new_token(user_id=True),
        "user_id as a string": new_token(user_id="1"),
        "two users": new_token(sub="2"),
        "exp as a string": sign_token(
            {"user_id": 1, "exp": str(now + 600)}, header={"alg": "HS256"}),
        "a changed signature": new_token()[:-4] + "AAAA",
        "a changed payload": ".".join(
            [new_token().split(".")[0], new_token(user_id=2).split(".")[1],
             new_token().split(".")[2]]),
        "padding": new_token() + "=",
        "two segments": new_token().rsplit(".", 1)[0],
        "four segments": new_token() + ".e30",
    }
    for name, token in invalid.items():
        response = server.request("/resource", token=token)
        expect((response.status, response.error) == (401, "Invalid token"),
               f"{name}: {response.status} {response.body!r}")
        expect(response.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse", '
               'error="invalid_token", error_description="The token is invalid"',
               f"{name}: {response.headers['WWW-Authenticate']}")
    expired = {
        "expired": new_token(iat=now - 700, exp=now - 100),
        "expired now": new_token(exp=now),
        "expired a fraction ago": new_token(exp=time.time() - 0.001),
    }
    for name, token in expired.items():
        response = server.request("/resource", token=token)
        expect((response.status, response.error) == (401, "Token expired"),
               f"{name}: {response.status} {response.body!r}")
        try:
            jwt.decode(token, KEY, algorithms=["HS256"])
            expect(False, f"{name}: PyJWT accepts it")
        except jwt.ExpiredSignatureError:
            pass
    response = server.request("/resource", token=new_token(user_id=99))
    expect((response.status, response.error) == (404, "User not found"), "an unknown user")
    response = server.request("/resource")
    expect((response.status, response.error) == (401, "Unauthorized"), "no token")
    expect(response.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse"', "the challenge")
    print(f"and refuses invalid ones: {len(invalid) + len(expired) + 2} kinds")


def check_agreement(server):
    """A server that checks issuer and audience refuses the tokens that PyJWT refuses."""
    now = int(time.time())
    base = {"user_id": 1, "sub": "1", "iat": now, "nbf": now, "exp": now + 600}
    count = 0
    for issuer in (None, ISSUER, "elsewhere", ISSUER + "/"):
        for audience in (None, AUDIENCE, "others", ["others", AUDIENCE], ["others"], []):
            claims = dict(base)
            if issuer is not None:
                claims["iss"] = issuer
            if audience is not None:
                claims["aud"] = audience
            token = jwt.encode(claims, KEY, algorithm="HS256")
            try:
                jwt.decode(token, KEY, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE)
                expected = (200, None)
            except jwt.InvalidTokenError:
                expected = (401, "Invalid token")
            response = server.request("/resource", token=token)
            result = (response.status, None if response.status == 200 else response.error)
            expect(result == expected, f"iss {issuer}, aud {audience}: {result}, PyJWT {expected}")
            count += 1
    print(f"both agree about iss and aud: {count} pairs")


def main():
    program = sys.argv[1]
    with serving(program, token={"issuer": ISSUER, "audience": AUDIENCE}) as server:
        check_login_and_refresh(server)
        check_same_second(server)
        check_other_libraries(server)
        check_agreement(server)
    with serving(program) as server:
        check_accepted(server)
        check_refused(server)


if __name__ == "__main__":
    main()
