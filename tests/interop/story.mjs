// Baileys against whatsim: an implementation that is not ours links, chats, comes back and is
// removed. Where the two disagree, whatsim is wrong.
//
// In this folder: `npm ci`, then `npm run story`. lib/whatsim.mjs says which whatsim it talks to.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Client } from './lib/client.mjs'
import { step, tell, texts, until } from './lib/story.mjs'
import { whatsim } from './lib/whatsim.mjs'

/** What a phone shows of the texts that start like `prefix`, checked to have come once each. */
async function shown(phone, prefix, n) {
  const mine = entry => entry.text.startsWith(prefix)
  const inbox = await until(
    `${n} texts of ${prefix}`,
    () => phone.inbox(),
    inbox => inbox.filter(mine).length >= n
  )
  const entries = inbox.filter(mine)
  assert.deepEqual(new Set(entries.map(entry => entry.deliveries)), new Set([1]), 'delivered once')
  return entries.map(entry => entry.text)
}

async function linkByQr(sim, phone, folder) {
  const client = new Client(sim, folder)
  const qr = client.next('qr')
  await client.connect()
  const open = client.next('open', 60_000)
  await phone.scan(await qr)
  await open
  return client
}

tell(async atEnd => {
  const sim = await step('whatsim runs', () => whatsim(atEnd))
  const base = await mkdtemp(join(tmpdir(), 'whatsim-interop-'))
  atEnd(() => rm(base, { recursive: true, force: true }))

  const [ana, beto] = await step('two phones', async () => [
    await sim.phone('573000000011', 'Ana'),
    await sim.phone('573000000012', 'Beto')
  ])

  let client = await step('Baileys shows a QR, the phone scans it, it is online', () =>
    linkByQr(sim, ana, join(base, 'qr'))
  )
  atEnd(() => client.socket.end(undefined))

  await step('it knows who it is, by number, by LID and by name', async () => {
    await until(
      'the push name',
      () => client.me?.name,
      name => name === 'Ana'
    )
    assert.match(client.me.id, /^573000000011:\d+@s\.whatsapp\.net$/)
    assert.equal(client.me.lid?.replace(/:\d+@/, '@'), ana.lid)
    const devices = await ana.devices()
    assert.equal(devices.length, 1)
    assert.equal(devices[0].online, true)
  })

  await step('thirty texts to a phone, in order, none twice', async () => {
    for (const text of texts('de baileys')) await client.send(beto.jid, text)
    assert.deepEqual(await shown(beto, 'de baileys', 30), texts('de baileys'))
  })

  const ids = await step('thirty texts from a phone, in order, none twice', async () => {
    const ids = []
    for (const text of texts('de beto')) ids.push(await beto.send(ana.number, text))
    const got = await client.texts(30, entry => !entry.fromMe && entry.text.startsWith('de beto'))
    assert.deepEqual(got, texts('de beto'))
    return ids
  })

  await step('the phone learns that they were delivered to Baileys', async () => {
    const device = (await ana.devices())[0].id
    for (const id of ids) {
      await until(
        'the delivery receipt',
        () => beto.sent(id),
        sent => sent.server && sent.delivered.some(to => String(to).includes(`:${device}@`))
      )
    }
  })

  await step('Baileys reads one, the phone learns that too', async () => {
    const id = ids.at(-1)
    const { chat } = client.received.find(entry => entry.id === id)
    await client.socket.readMessages([{ remoteJid: chat, id, fromMe: false }])
    await until(
      'the read receipt',
      () => beto.sent(id),
      sent => sent.read.length > 0
    )
    assert.deepEqual((await beto.sent(ids[0])).read, [])
  })

  // By turns, and not at once: Baileys encrypts and decrypts on one session in transactions that do
  // not exclude each other, and the later commit takes back a ratchet step of the other.
  await step('thirty by turns, by LID', async () => {
    const fromBeto = entry => entry.text.startsWith('lid beto')
    for (let i = 1; i <= 30; i++) {
      await client.send(beto.lid, `lid baileys ${i}`)
      await shown(beto, 'lid baileys', i)
      await beto.send(ana.lid, `lid beto ${i}`)
      await client.texts(i, fromBeto)
    }
    assert.deepEqual(await shown(beto, 'lid baileys', 30), texts('lid baileys'))
    assert.deepEqual(await client.texts(30, fromBeto), texts('lid beto'))
  })

  await step('what the own phone writes appears as written by oneself', async () => {
    await ana.send(beto.number, 'desde el celular')
    const mine = entry => entry.text === 'desde el celular'
    await client.texts(1, mine)
    assert.equal(client.received.find(mine).fromMe, true)
  })

  const group = await step('a group, thirty texts each way', async () => {
    const group = await ana.group('Tienda', [beto.number])
    for (const text of texts('grupo baileys')) await client.send(group, text)
    assert.deepEqual(await shown(beto, 'grupo baileys', 30), texts('grupo baileys'))
    for (const text of texts('grupo beto')) await beto.sendToGroup(group, text)
    const got = await client.texts(30, entry => entry.text.startsWith('grupo beto'))
    assert.deepEqual(got, texts('grupo beto'))
    assert.equal(client.received.at(-1).chat, group)
    return group
  })

  await step('it leaves; what is written meanwhile waits', async () => {
    await client.leave()
    for (const text of texts('mientras tanto')) await beto.send(ana.number, text)
    await beto.sendToGroup(group, 'grupo mientras tanto')
  })

  await step('it comes back without a scan and gets it, in order, once', async () => {
    const before = client
    client = new Client(sim, before.folder)
    client.on('qr', () => client.emit('failed', new Error('a QR was asked for')))
    const open = client.next('open')
    await client.connect()
    await open
    const got = await client.texts(30, entry => entry.text.startsWith('mientras tanto'))
    assert.deepEqual(got, texts('mientras tanto'))
    await client.texts(1, entry => entry.text === 'grupo mientras tanto')
    await client.send(beto.jid, 'de vuelta')
    await shown(beto, 'de vuelta', 1)
    assert.deepEqual([...before.undecryptable, ...client.undecryptable], [])
  })

  await step('it lost its sessions; what it cannot read it asks for again', async () => {
    await client.leave()
    assert.notEqual(await client.loseSessions(), 0)
    client = new Client(sim, client.folder)
    const open = client.next('open')
    await client.connect()
    await open
    const ids = [
      await beto.sendToGroup(group, 'otra vez en grupo'),
      await beto.send(ana.number, 'otra vez')
    ]
    await client.texts(2, entry => entry.text.startsWith('otra vez'))
    assert.deepEqual(new Set(client.undecryptable), new Set(ids))
    await client.send(beto.jid, 'ahora si')
    await client.send(group, 'ahora si en grupo')
    await shown(beto, 'ahora si', 2)
  })

  await step('the phone removes it, and it knows', async () => {
    const ended = client.next('ended')
    await ana.remove((await ana.devices())[0].id)
    assert.equal(await ended, 401)
    assert.deepEqual(await ana.devices(), [])
  })

  await step('another links by pairing code', async () => {
    client = new Client(sim, join(base, 'code'))
    const code = client.pairingCode(ana.number)
    await client.connect()
    const open = client.next('open', 60_000)
    await ana.code(await code)
    await open
    assert.equal((await ana.devices()).length, 1)
  })

  await step('thirty more each way', async () => {
    for (const text of texts('codigo baileys')) await client.send(beto.jid, text)
    assert.deepEqual(await shown(beto, 'codigo baileys', 30), texts('codigo baileys'))
    for (const text of texts('codigo beto')) await beto.send(ana.number, text)
    const got = await client.texts(30, entry => entry.text.startsWith('codigo beto'))
    assert.deepEqual(got, texts('codigo beto'))
    assert.deepEqual(client.undecryptable, [])
  })

  await step('it logs out by itself', async () => {
    const ended = client.next('ended')
    await client.socket.logout()
    assert.equal(await ended, 401)
    await until(
      'an empty list of devices',
      () => ana.devices(),
      devices => devices.length === 0
    )
  })

  await step('nothing was unknown to whatsim, nobody stood available', async () => {
    const { unknown, available_seconds } = await sim.counters()
    assert.deepEqual(unknown, {})
    assert.equal(Math.floor(available_seconds), 0)
  })
})
