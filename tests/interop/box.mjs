// Baileys against a box that runs already, through the whatsim that both use.
//
// WS, CONTROL and NOISE_ROOT say where whatsim is; BOX_NUMBER is the number of the account that
// the box is linked to. The box's bot must answer every text with `eco: <text>`, without a pause
// between answers (in its configuration). BOX_TEXTS texts are exchanged, thirty by default.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Client } from './lib/client.mjs'
import { step, tell, texts } from './lib/story.mjs'
import { whatsim } from './lib/whatsim.mjs'

const { BOX_NUMBER, BOX_TEXTS = '30', CUSTOMER_NUMBER = '573000000021' } = process.env
const n = Number(BOX_TEXTS)
const answered = entry => !entry.fromMe && entry.text.startsWith('eco: ')
const wanted = prefix => texts(prefix, n).map(text => `eco: ${text}`)

tell(async atEnd => {
  assert.ok(BOX_NUMBER, 'BOX_NUMBER is the number the box is linked to')
  const sim = await whatsim(atEnd)
  const base = await mkdtemp(join(tmpdir(), 'whatsim-interop-'))
  atEnd(() => rm(base, { recursive: true, force: true }))

  const customer = await sim.phone(CUSTOMER_NUMBER, 'Cliente')
  const client = await step('a customer links Baileys to a phone', async () => {
    const client = new Client(sim, join(base, 'customer'))
    const qr = client.next('qr')
    await client.connect()
    const open = client.next('open', 60_000)
    await customer.scan(await qr)
    await open
    return client
  })
  atEnd(() => client.socket.end(undefined))
  const box = `${BOX_NUMBER}@s.whatsapp.net`

  // By turns, because of how Baileys guards its sessions; see the story.
  await step(`${n} texts, each answered once, in order`, async () => {
    for (const [i, text] of texts('pregunta', n).entries()) {
      await client.send(box, text)
      await client.texts(i + 1, answered)
    }
    assert.deepEqual(await client.texts(n, answered), wanted('pregunta'))
  })

  await step("the customer's phone shows the same, delivered once each", async () => {
    const shown = (await customer.inbox()).filter(entry => entry.text.startsWith('eco: '))
    assert.deepEqual(
      shown.map(({ text, deliveries }) => [text, deliveries]),
      wanted('pregunta').map(text => [text, 1])
    )
  })

  await step('nothing was unreadable, nothing unknown to whatsim', async () => {
    assert.deepEqual(client.undecryptable, [])
    assert.deepEqual((await sim.counters()).unknown, {})
  })
})
