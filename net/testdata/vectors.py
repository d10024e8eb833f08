#!/usr/bin/env python3
"""Computes the handshake's test vectors from PROTOCOL.md, without any code of fika.

    net/testdata/vectors.py > net/testdata/handshake.txt
"""
import hashlib
import hmac
import struct


def hkdf(salt, secret, info, length):
    prk = hmac.new(salt, secret, hashlib.sha256).digest()
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([number]), hashlib.sha256).digest()
        out, number = out + block, number + 1
    return out[:length]


def varint(number):
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def text(value):
    return varint(len(value.encode())) + value.encode()


def framed(body):
    return struct.pack(">H", len(body)) + body


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


CASES = [
    dict(case="plain"),
    dict(case="a cluster id", cluster_id="blue, Köln"),
    dict(case="an encrypted transport", binding=bytes(range(32))),
    dict(case="a name is given", initiator="undefined@h", flags_i=11, status=6,
         given="00c0ffee00c0ffee@h"),
    dict(case="all of it", initiator="zoë@127.0.0.1", responder="b-2_x@127.0.0.1",
         cookie="0123456789abcdef" * 4, cluster_id="7", flags_i=7, flags_r=6,
         creation_i=0xfffffffe, creation_r=4, nonce_i=bytes(range(32)),
         nonce_r=bytes(range(255, 223, -1)), binding=b"\x80" * 32),
]


def show(case, cookie="the same secret on both", cluster_id="", binding=None, status=0,
         initiator="a@h", responder="b@h", creation_i=7, creation_r=8, flags_i=2, flags_r=2,
         nonce_i=b"\x11" * 32, nonce_r=b"\x22" * 32, given=""):
    hello_i = (b"\xf1fika\r\n\0" + struct.pack(">HHQI", 1, 1, flags_i, creation_i) + nonce_i
               + text(initiator) + text(responder) + b"\0")
    hello_r = (b"\xf2" + struct.pack(">HQI", 1, flags_r, creation_r) + nonce_r
               + bytes([status]) + text(responder)
               + (varint(len(text(given))) + text(given) if given else b"\0"))
    key = hkdf(b"fika1", cookie.encode(), cluster_id.encode(), 32)
    transport = b"\0" if binding is None else b"\1"
    cb = binding or b"\0" * 32
    th = hashlib.sha256(framed(hello_i) + framed(hello_r) + transport).digest()
    proof_i = mac(key, b"fika1 initiator", th, cb)
    proof_r = mac(key, b"fika1 responder", th, proof_i, cb)
    refusal = mac(key, b"fika1 refusal", th, proof_i, b"\2", cb)
    fields = dict(
        case=case, cookie=cookie, cluster_id=cluster_id, initiator=initiator,
        responder=responder, creation_i=creation_i, creation_r=creation_r, flags_i=flags_i,
        flags_r=flags_r, status=status, given=given or "none", binding=binding.hex() if binding else "none",
        nonce_i=nonce_i.hex(), nonce_r=nonce_r.hex(), hello_i=hello_i.hex(),
        hello_r=hello_r.hex(), key=key.hex(), transcript=th.hex(),
        proof_i="f3" + proof_i.hex(), proof_r="f4" + proof_r.hex(),
        refusal="f502" + refusal.hex())
    for name, value in fields.items():
        print(f"{name}: {value}".rstrip())
    print()


print("# Test vectors of the handshake, version 1: bodies of frames, without their lengths.")
print("# Made by vectors.py, which shares no code with fika.\n")
for case in CASES:
    show(**case)
