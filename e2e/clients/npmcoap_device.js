// A device on npm's coap, in the words that e2e/stack_test.go speaks.
//
// npmcoap_device.js METHOD URL [--non] [--block BYTES] [--format N]
//     [--accept N] [--payload FILE] [--observe N]
//
// Prints one JSON object a response: its code, and its payload in base64. With
// --observe it prints N notifications after the first response, then cancels.
const { readFileSync } = require('node:fs')
const { parseArgs } = require('node:util')
const coap = require('coap')

const { values: args, positionals: [method, url] } = parseArgs({
  allowPositionals: true,
  options: {
    non: { type: 'boolean' },
    block: { type: 'string' },
    format: { type: 'string' },
    accept: { type: 'string' },
    payload: { type: 'string' },
    observe: { type: 'string' }
  }
})

function tell (code, payload) {
  console.log(JSON.stringify({ code, payload: payload.toString('base64') }))
}

// The library writes an option's number by itself only for formats it knows.
function uint (text) {
  const n = Number(text)
  return n === 0 ? Buffer.alloc(0) : n < 256 ? Buffer.of(n) : Buffer.of(n >> 8, n & 255)
}

const { hostname, port, pathname, search } = new URL(url)
const request = coap.request({
  hostname,
  port,
  pathname,
  query: search.slice(1),
  method: method.toUpperCase(),
  confirmable: !args.non,
  observe: args.observe !== undefined
})
if (args.format) request.setOption('12', uint(args.format))
if (args.accept) request.setOption('17', uint(args.accept))
const payload = args.payload ? readFileSync(args.payload) : undefined
if (args.block) {
  const exponent = Buffer.of(Math.log2(args.block) - 4)
  request.setOption(payload ? 'Block1' : 'Block2', exponent)
}

request.on('error', err => {
  console.error(err.message)
  process.exit(1)
})
request.on('response', response => {
  if (args.observe === undefined) {
    tell(response.code, response.payload)
    return
  }
  let left = Number(args.observe) + 1
  response.on('data', body => {
    tell(response.code, body)
    if (--left === 0) response.close()
  })
})
request.end(payload)
