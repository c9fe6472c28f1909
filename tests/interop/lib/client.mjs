// A Baileys client whose events can be waited for. Its settings come from outside: the server's
// address and the root of its certificates. Nothing in the package is changed.

import { EventEmitter } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import makeSocket, {
  DisconnectReason,
  WAMessageStubType,
  WA_CERT_DETAILS,
  useMultiFileAuthState
} from '@whiskeysockets/baileys'

import { within } from './story.mjs'

const loud = process.env.BAILEYS_LOG
const quiet = () => {}
const shout = (...what) => console.error(...what)
const logger = {
  level: loud ?? 'silent',
  child: () => logger,
  trace: loud === 'trace' ? shout : quiet,
  debug: ['trace', 'debug'].includes(loud) ? shout : quiet,
  info: ['trace', 'debug', 'info'].includes(loud) ? shout : quiet,
  warn: loud ? shout : quiet,
  error: loud ? shout : quiet,
  fatal: shout
}

// Its Signal library prints sessions, private keys included, past any logger.
console.info = quiet
console.warn = loud ? console.warn : quiet

/** One linked device, or one about to be, with its credentials in a folder. */
export class Client extends EventEmitter {
  /** Texts received, in the order they were shown: `{ id, chat, from, fromMe, text }`. */
  received = []
  /** Messages that came and did not decrypt. */
  undecryptable = []
  /** Why the connection ended for good, once it did. */
  ended = undefined
  #sent = new Map()
  #wantCode = undefined

  constructor(whatsim, folder) {
    super()
    this.setMaxListeners(0)
    this.folder = folder
    this.url = whatsim.ws
    WA_CERT_DETAILS.PUBLIC_KEY = whatsim.noiseRoot
  }

  /** Connects, and comes back by itself when the service asks for a restart. */
  async connect() {
    const { state, saveCreds } = await useMultiFileAuthState(this.folder)
    this.creds = state.creds
    const socket = makeSocket({
      auth: state,
      waWebSocketUrl: this.url,
      logger,
      markOnlineOnConnect: false,
      // Off by default; a wrong hash must not pass here.
      appStateMacVerification: { patch: true, snapshot: true },
      getMessage: async key => this.#sent.get(key.id)
    })
    this.socket = socket
    socket.ev.on('creds.update', async () => {
      await saveCreds()
      this.emit('creds')
    })
    socket.ev.on('connection.update', update => this.#connection(update))
    socket.ev.on('messages.upsert', ({ messages }) => messages.forEach(m => this.#message(m)))
    return this
  }

  /** Who it is, as its credentials have it now; the socket keeps an older copy. */
  get me() {
    return this.creds.me
  }

  #connection({ connection, qr, lastDisconnect }) {
    if (qr) this.emit('qr', qr)
    if (connection === 'open') this.emit('open')
    if (connection !== 'close') return
    const status = lastDisconnect?.error?.output?.statusCode
    if (status === DisconnectReason.restartRequired) {
      this.connect().catch(error => this.emit('failed', error))
    } else {
      this.ended = status
      this.emit('ended', status)
    }
  }

  #message({ key, message, messageStubType }) {
    if (messageStubType === WAMessageStubType.CIPHERTEXT) this.undecryptable.push(key.id)
    const text = message?.conversation ?? message?.extendedTextMessage?.text
    if (!text) return
    this.received.push({
      id: key.id,
      chat: key.remoteJid,
      from: key.participant ?? key.remoteJid,
      fromMe: Boolean(key.fromMe),
      text
    })
    this.emit('text')
  }

  /** The next event of a name. */
  next(event, ms = 30_000) {
    const heard = new Promise((resolve, reject) => {
      this.once(event, resolve)
      if (event === 'ended') return
      this.once('ended', why => reject(new Error(`baileys ended with ${why} before ${event}`)))
      this.once('failed', reject)
    })
    return within(ms, `baileys: ${event}`, heard)
  }

  /** Texts that match, as soon as there are `n`. */
  async texts(n, matches, ms = 60_000) {
    const now = () => this.received.filter(matches)
    const enough = new Promise(resolve => {
      const check = () => {
        if (now().length < n) return
        this.off('text', check)
        resolve()
      }
      this.on('text', check)
      check()
    })
    await within(ms, `${n} texts`, enough).catch(error => {
      throw new Error(`${error.message}, ${now().length} came`)
    })
    return now().map(entry => entry.text)
  }

  /** Asks for a pairing code once the service is ready to give one. */
  async pairingCode(number) {
    await this.next('qr')
    // Baileys does not wait for the service's answer; a person who types would.
    const { ws } = this.socket
    const known = new Promise(resolve => ws.once('CB:iq,,link_code_companion_reg', resolve))
    const code = await this.socket.requestPairingCode(number)
    await within(30_000, 'the service takes the code', known)
    return code
  }

  async send(to, text) {
    const sent = await this.socket.sendMessage(to, { text })
    this.#sent.set(sent.key.id, sent.message)
    return sent.key.id
  }

  /** Loses every session and sender key, as a backup restored without them. Not while connected. */
  async loseSessions() {
    const names = await readdir(this.folder)
    const sessions = names.filter(name => /^(session|sender-key)-/.test(name))
    await Promise.all(sessions.map(name => rm(join(this.folder, name))))
    return sessions.length
  }

  /** Leaves without unlinking, as a process that is stopped. */
  async leave() {
    const gone = this.next('ended')
    this.socket.end(undefined)
    await gone
  }
}
