"""A device on aiocoap, in the words that e2e/stack_test.go speaks.

aiocoap_device.py METHOD URL [--non] [--block BYTES] [--format N] [--accept N]
    [--payload FILE] [--observe N] [--identity NAME --key HEX]

Prints one JSON object a response: its code, and its payload in base64. With
--observe it prints N notifications after the first response, then cancels.
"""

import argparse
import asyncio
import base64
import json

import aiocoap


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("method")
    parser.add_argument("url")
    parser.add_argument("--non", action="store_true")
    parser.add_argument("--block", type=int)
    parser.add_argument("--format", type=int)
    parser.add_argument("--accept", type=int)
    parser.add_argument("--payload")
    parser.add_argument("--observe", type=int)
    parser.add_argument("--identity")
    parser.add_argument("--key")
    return parser.parse_args()


def tell(response):
    body = base64.b64encode(response.payload).decode()
    print(json.dumps({"code": response.code.dotted, "payload": body}), flush=True)


def message(args):
    request = aiocoap.Message(code=getattr(aiocoap, args.method.upper()), uri=args.url)
    request.transport_tuning = aiocoap.Unreliable() if args.non else aiocoap.Reliable()
    if args.payload:
        with open(args.payload, "rb") as file:
            request.payload = file.read()
    if args.format is not None:
        request.opt.content_format = args.format
    if args.accept is not None:
        request.opt.accept = args.accept
    if args.observe is not None:
        request.opt.observe = 0
    if args.block:
        first = (0, False, args.block.bit_length() - 5)
        if request.payload:
            request.opt.block1 = first
        else:
            request.opt.block2 = first
    return request


async def main():
    args = arguments()
    context = await aiocoap.Context.create_client_context()
    if args.key:
        psk = {"psk": {"hex": args.key}, "client-identity": {"ascii": args.identity}}
        origin = args.url.split("/", 3)[:3]
        context.client_credentials.load_from_dict({"/".join(origin) + "/*": {"dtls": psk}})
    asked = context.request(message(args))
    tell(await asked.response)
    left = args.observe or 0
    if left:
        async for notification in asked.observation:
            tell(notification)
            left -= 1
            if left == 0:
                break
        asked.observation.cancel()
    await context.shutdown()


asyncio.run(main())
