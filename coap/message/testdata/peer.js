// Reads datagrams with npm's coap-packet, one a line in hex, and answers each
// with a line: what it read, as JSON, or {"error": why it does not}. The first
// line is the version of coap-packet.
const fs = require('node:fs')
const { parse } = require('coap-packet')

// The names that coap-packet gives to options; the others it calls by number.
const numbers = {
  'If-Match': 1, 'Uri-Host': 3, ETag: 4, 'If-None-Match': 5, Observe: 6, 'Uri-Port': 7, 'Location-Path': 8,
  OSCORE: 9, 'Uri-Path': 11, 'Content-Format': 12, 'Max-Age': 14, 'Uri-Query': 15, 'Hop-Limit': 16, Accept: 17,
  'Q-Block1': 19, 'Location-Query': 20, Block2: 23, Block1: 27, Size2: 28, 'Q-Block2': 31, 'Proxy-Uri': 35,
  'Proxy-Scheme': 39, Size1: 60, 'No-Response': 258, 'OCF-Accept-Content-Format-Version': 2049,
  'OCF-Content-Format-Version': 2053
}

function type (m) {
  if (m.confirmable) return 0
  if (m.ack) return 2
  return m.reset ? 3 : 1
}

function code (m) {
  const [group, detail] = m.code.split('.').map(Number)
  return group << 5 | detail
}

function answer (line) {
  let m
  try {
    m = parse(Buffer.from(line, 'hex'))
  } catch (err) {
    return { error: err.message }
  }
  return {
    type: type(m),
    code: code(m),
    id: m.messageId,
    token: m.token.toString('hex'),
    // Number 0 is reserved and elective: our reader passes over it.
    options: m.options.map(o => [numbers[o.name] ?? Number(o.name), o.value.toString('hex')]).filter(o => o[0] !== 0),
    payload: m.payload.toString('hex')
  }
}

// Not process.stdout, which would let writes end early.
fs.writeSync(1, require('coap-packet/package.json').version + '\n')
let rest = ''
const chunk = Buffer.alloc(1 << 16)
for (let n; (n = fs.readSync(0, chunk)) > 0;) {
  const lines = (rest + chunk.toString('latin1', 0, n)).split('\n')
  rest = lines.pop()
  const answers = lines.map(line => JSON.stringify(answer(line)) + '\n').join('')
  for (let at = 0; at < answers.length;) at += fs.writeSync(1, answers.slice(at))
}
