#!/usr/bin/env python3
"""Checks that Gatehouse and PyJWT mean the same by a token, both ways.

    python3 interop.py GATEHOUSE      the built program

Needs PyJWT (PyPI); with python-jose or joserfc installed, those read Gatehouse's tokens, too.
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
    """A token as PyJWT reads it, with everything checked that it can check."""
    return jwt.decode(
        token, key, algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE, leeway=0,
        options={"require": sorted(CLAIMS), "verify_signature": True, "verify_exp": True,
                 "verify_nbf": True, "verify_iat": True, "verify_aud": True, "verify_iss": True,
                 "verify_sub": True, "verify_jti": True, "strict_aud": False})


def decoded(segment):
    expect("=" not in segment, "a segment is padded")
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def check_issued(token, user, before, after):
    """Every claim of a new session's token."""
    expect(jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "first"},
           f"the header is {jwt.get_unverified_header(token)}")
    claims = read(token)
    expect(set(claims) == CLAIMS, f"the claims are {sorted(claims)}")
    expect(claims["iss"] == ISSUER and claims["aud"] == AUDIENCE, "iss or aud")
    expect(claims["sub"] == str(user) and claims["user_id"] == user, "sub or user_id")
    expect(type(claims["user_id"]) is int, "user_id is no integer")
    expect(int(before) <= claims["iat"] <= after, f"iat is {claims['iat']} at {after}")
    expect(claims["nbf"] == claims["iat"], "nbf is not iat")
    expect(claims["exp"] == claims["iat"] + TTL, "exp")
    expect(claims["auth_time"] == int(claims["iat"]), "auth_time")
    expect(claims["sxp"] == claims["iat"] + SESSION, "sxp")
    expect(len(decoded(claims["jti"])) == 16, "jti is not of 128 bits")
    expect(len(decoded(claims["sid"])) >= 16 and claims["sid"] != claims["jti"], "sid")
    return claims


def issued(server):
    before = time.time()
    response = server.request("/login", "POST", json_body={"user_id": 2})
    token = response.json["token"]
    claims = check_issued(token, 2, before, time.time())
    expect(response.json["expires_in"] in (TTL, TTL - 1), "expires_in")
    for wrong in ("another key, of thirty-two bytes or so", SECOND_KEY):
        try:
            read(token, wrong)
            expect(False, "PyJWT took a token with another key")
        except jwt.InvalidSignatureError:
            pass

    # The successor: what may differ does, and nothing else.
    response = server.request("/refresh", "POST", token=token)
    expect(response.status == 200, f"refresh: {response.status}")
    new = read(response.json["token"])
    differing = {name for name in CLAIMS if new[name] != claims[name]}
    expect("jti" in differing and differing <= {"jti", "iat", "nbf", "exp"},
           f"a renewal changed {sorted(differing)}")
    expect(new["exp"] >= claims["exp"] and new["exp"] <= new["sxp"], "exp after a renewal")
    expect(server.request("/resource", token=response.json["token"]).status == 200, "the successor")
    print(f"PyJWT reads what login and refresh issue: {len(CLAIMS)} claims each")


def same_second(server):
    """A token from the second of a logout is issued later than the logout, by a fraction if need be."""
    fractions = 0
    for _ in range(5):
        old = server.login(2)
        response = server.request("/logout/all", "POST", token=old)
        expect(response.status == 204, f"logout/all: {response.status}")
        new = server.login(2)
        claims = read(new)
        fractions += not isinstance(claims["iat"], int)
        expect(server.request("/resource", token=new).status == 200, "a login after logout/all")
        refused = server.request("/resource", token=old)
        expect((refused.status, refused.error) == (401, "Token revoked"), "after logout/all")
        response = server.request("/refresh", "POST", token=new)
        expect(response.status == 200, f"its renewal: {response.status} {response.body!r}")
        read(response.json["token"])
        expect(server.request("/resource", token=response.json["token"]).status == 200, "the successor")
    print(f"PyJWT reads tokens from the second of a logout ({fractions} of 5 with fractions)")


def other_readers(server):
    token = server.login(1)
    expected = read(token)
    names = []
    if importlib.util.find_spec("jose"):
        from jose import jwt as jose

        got = jose.decode(token, KEY, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER,
                          options={f"require_{name}": True for name in
                                   ("aud", "iat", "exp", "nbf", "iss", "sub", "jti")})
        expect(got == expected, "python-jose reads other claims")
        names.append("python-jose")
    if importlib.util.find_spec("joserfc"):
        from joserfc import jwt as joserfc
        from joserfc.jwk import OctKey

        got = joserfc.decode(token, OctKey.import_key(KEY), algorithms=["HS256"])
        joserfc.JWTClaimsRegistry(
            leeway=0, iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE}).validate(got.claims)
        expect(got.claims == expected, "joserfc reads other claims")
        names.append("joserfc")
    if names:
        print(f"so do {' and '.join(names)}")


def made(payload=None, key=KEY, algorithm="HS256", headers=None, **more):
    now = int(time.time())
    claims = {"user_id": 1, "iat": now, "exp": now + 600} if payload is None else payload
    return jwt.encode({**claims, **more}, key, algorithm=algorithm, headers=headers)


def taken(server):
    """By a server that checks neither issuer nor audience."""
    now = time.time()
    whole = int(now)
    full = {"iss": "elsewhere", "sub": "1", "user_id": 1, "aud": "anyone", "iat": whole,
            "nbf": whole, "exp": whole + 600, "jti": "j-1", "sid": "s-1", "auth_time": whole,
            "sxp": whole + 3600, "scope": "read write", "nested": {"list": [1, 2.5, None, True]}}
    tokens = {
        "minimal": made(),
        "user_id alone with exp": made({"user_id": 1, "exp": whole + 600}),
        "full": made(full),
        "with the first kid": made(headers={"kid": "first"}),
        "with the second kid": made(key=SECOND_KEY, headers={"kid": "second"}),
        "without kid, with the second key": made(key=SECOND_KEY),
        "fractional dates": made(
            {"user_id": 1, "iat": now - 0.25, "nbf": now - 0.25, "exp": now + 600.125}),
        "aud as a list": made(full, aud=["anyone", "someone"]),
        "another typ": made(headers={"typ": "at+jwt"}),
        "no typ": made(headers={"typ": None}),
        "other header members": made(headers={"x": {"y": 1}}),
        "far exp": made(exp=4_000_000_000),
        "names in other scripts": made(name="\u0391\u03bb\u03af\u03ba\u03b7 \U0001f511"),
    }
    for name, token in tokens.items():
        response = server.request("/resource", token=token)
        expect(response.status == 200, f"{name}: {response.status} {response.body!r}")
        expect(response.json == {"user": {"id": 1, "name": "Alice"}}, f"{name}: {response.body!r}")
    print(f"Gatehouse takes what PyJWT makes: {len(tokens)} kinds")
    return full


def refused(server):
    now = int(time.time())
    claims = {"user_id": 1, "iat": now, "exp": now + 600}
    invalid = {
        "none": made(algorithm="none", key=""),
        "HS384 with the same key": made(algorithm="HS384"),
        "HS512 with the same key": made(algorithm="HS512"),
        "another key": made(key="another key, of thirty-two bytes or so"),
        "the second key under the first kid": made(
            key=SECOND_KEY, headers={"kid": "first"}),
        "an unknown kid": made(headers={"kid": "third"}),
        "nbf ahead": made(nbf=now + 300),
        "crit": sign_token(claims, header={"alg": "HS256", "typ": "JWT", "crit": ["exp"]}),
        "crit, empty": sign_token(claims, header={"alg": "HS256", "crit": []}),
        "alg in small letters": sign_token(claims, header={"alg": "hs256"}),
        "no exp": made({"user_id": 1, "iat": now}),
        "no user": made({"iat": now, "exp": now + 600}),
        "user_id true": made(user_id=True),
        "user_id as a string": made(user_id="1"),
        "two users": made(sub="2"),
        "exp as a string": sign_token({"user_id": 1, "exp": str(now + 600)}, header={"alg": "HS256"}),
        "a changed signature": made()[:-4] + "AAAA",
        "a changed payload": ".".join(
            [*made().split(".")[:1], made(user_id=2).split(".")[1], made().split(".")[2]]),
        "padding": made() + "=",
        "two segments": made().rsplit(".", 1)[0],
        "four segments": made() + ".e30",
    }
    for name, token in invalid.items():
        response = server.request("/resource", token=token)
        expect((response.status, response.error) == (401, "Invalid token"),
               f"{name}: {response.status} {response.body!r}")
        expect(response.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse", '
               'error="invalid_token", error_description="The token is invalid"',
               f"{name}: {response.headers['WWW-Authenticate']}")
    expired = {
        "expired": made(iat=now - 700, exp=now - 100),
        "expired now": made(exp=now),
        "expired a fraction ago": made(exp=time.time() - 0.001),
    }
    for name, token in expired.items():
        response = server.request("/resource", token=token)
        expect((response.status, response.error) == (401, "Token expired"),
               f"{name}: {response.status} {response.body!r}")
        try:
            jwt.decode(token, KEY, algorithms=["HS256"])
            expect(False, f"{name}: PyJWT takes it")
        except jwt.ExpiredSignatureError:
            pass
    response = server.request("/resource", token=made(user_id=99))
    expect((response.status, response.error) == (404, "User not found"), "an unknown user")
    response = server.request("/resource")
    expect((response.status, response.error) == (401, "Unauthorized"), "no token")
    expect(response.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse"', "the challenge")
    print(f"and refuses as it says: {len(invalid) + len(expired) + 2} kinds")


def agreement(server):
    """A server that checks issuer and audience refuses just what PyJWT refuses when told to."""
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
            got = (response.status, None if response.status == 200 else response.error)
            expect(got == expected, f"iss {issuer}, aud {audience}: {got}, PyJWT {expected}")
            count += 1
    print(f"both are of one mind about iss and aud: {count} pairs")


def main():
    program = sys.argv[1]
    with serving(program, token={"issuer": ISSUER, "audience": AUDIENCE}) as server:
        issued(server)
        same_second(server)
        other_readers(server)
        agreement(server)
    with serving(program) as server:
        taken(server)
        refused(server)


if __name__ == "__main__":
    main()
