// A device on npm's node-coap-client, which speaks DTLS with a pre-shared key,
// in the words that e2e/stack_test.go speaks. The library sends each payload as
// JSON (50), and no payload in blocks.
//
// nodecoapclient_device.js METHOD URL [--non] [--block BYTES] [--payload FILE]
//     [--observe N] [--identity NAME --key HEX]
//
// Prints one JSON object a response: its code, and its payload in base64. With
// --observe it prints N notifications after the first response, then stops.
const { readFileSync } = require('node:fs')
const { parseArgs } = require('node:util')
const { CoapClient } = require('node-coap-client')

const { values: args, positionals: [method, url] } = parseArgs({
  allowPositionals: true,
  options: {
    non: { type: 'boolean' },
    block: { type: 'string' },
    payload: { type: 'string' },
    observe: { type: 'string' },
    identity: { type: 'string' },
    key: { type: 'string' }
  }
})

function tell ({ code, payload }) {
  const body = (payload ?? Buffer.alloc(0)).toString('base64')
  console.log(JSON.stringify({ code: code.toString(), payload: body }))
}

async function main () {
  if (args.key) {
    // The library wants the key as text of one byte a character.
    const psk = Buffer.from(args.key, 'hex').toString('latin1')
    CoapClient.setSecurityParams(new URL(url).hostname, { psk: { [args.identity]: psk } })
  }
  const options = { confirmable: !args.non, keepAlive: args.observe !== undefined }
  if (args.block) options.preferredBlockSize = Number(args.block)
  if (args.observe === undefined) {
    const payload = args.payload ? readFileSync(args.payload) : undefined
    tell(await CoapClient.request(url, method, payload, options))
    return
  }
  let left = Number(args.observe) + 1
  await CoapClient.observe(url, method, notification => {
    tell(notification)
    if (--left === 0) {
      CoapClient.stopObserving(url)
      CoapClient.reset()
    }
  }, undefined, options)
}

main().catch(err => {
  console.error(err)
  process.exitCode = 1
}).finally(() => {
  if (args.observe === undefined) CoapClient.reset()
})
