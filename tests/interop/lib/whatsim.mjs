// A whatsim to talk to: one that runs already (WS, CONTROL, NOISE_ROOT), a given program
// (WHATSIM), or the workspace's own through cargo. What was started here is stopped here.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { within } from './story.mjs'

const workspace = fileURLToPath(new URL('../../..', import.meta.url))

/** Starts or adopts a simulator. `atEnd` takes what stops it. */
export async function whatsim(atEnd) {
  const { WS, CONTROL, NOISE_ROOT, WHATSIM } = process.env
  if (WS && CONTROL && NOISE_ROOT) {
    return new Whatsim({ ws: WS, control: CONTROL, noise_root: NOISE_ROOT })
  }
  const [program, args] = WHATSIM
    ? [WHATSIM, ['serve']]
    : ['cargo', ['run', '--quiet', '-p', 'whatsim', '--', 'serve']]
  const child = spawn(program, args, { cwd: workspace, stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = once(child, 'exit')
  atEnd(async () => {
    if (child.exitCode === null && child.kill('SIGTERM')) {
      await within(10_000, 'whatsim stops', gone)
    }
  })
  // Compiling it first may take its time.
  const ready = await within(
    600_000,
    'whatsim is ready',
    Promise.race([
      once(createInterface(child.stdout), 'line').then(([line]) => line),
      once(child, 'error').then(([error]) => Promise.reject(error)),
      gone.then(([code]) => Promise.reject(new Error(`whatsim left with code ${code}`)))
    ])
  )
  return new Whatsim(JSON.parse(ready))
}

/** The control side of a simulator. */
class Whatsim {
  constructor({ ws, control, noise_root }) {
    this.ws = ws
    this.control = control.replace(/\/$/, '')
    this.noiseRoot = Buffer.from(noise_root, 'hex')
  }

  async call(method, path, body) {
    const response = await fetch(this.control + path, {
      method,
      headers: body && { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(30_000)
    })
    const text = await response.text()
    const answer = text ? JSON.parse(text) : undefined
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return answer
  }

  counters() {
    return this.call('GET', '/counters')
  }

  async phone(number, name) {
    const { lid } = await this.call('POST', '/phones', { number, name, multidevice: true })
    return new Phone(this, number, lid)
  }
}

/** A simulated phone, by its number. */
class Phone {
  constructor(whatsim, number, lid) {
    this.whatsim = whatsim
    this.number = number
    this.jid = `${number}@s.whatsapp.net`
    this.lid = String(lid).includes('@') ? lid : `${lid}@lid`
  }

  call(method, what, body) {
    return this.whatsim.call(method, `/phones/${this.number}/${what}`, body)
  }

  scan(qr) {
    return this.call('POST', 'scan', { qr })
  }

  code(code) {
    return this.call('POST', 'code', { code })
  }

  devices() {
    return this.call('GET', 'devices')
  }

  remove(device) {
    return this.call('DELETE', `devices/${device}`)
  }

  async send(to, text) {
    const { id } = await this.call('POST', 'send', { to, text })
    return id
  }

  async sendToGroup(group, text) {
    const { id } = await this.call('POST', 'send', { group, text })
    return id
  }

  sent(id) {
    return this.call('GET', `sent/${id}`)
  }

  async group(name, members) {
    const { group } = await this.call('POST', 'groups', { name, members })
    return group
  }

  inbox() {
    return this.call('GET', 'inbox')
  }
}
