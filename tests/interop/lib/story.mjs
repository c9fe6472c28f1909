// Telling a story: numbered steps on standard output, the first failure ends it.
// It must never let a step hang: every wait has an end.

let count = 0
const started = Date.now()

/** Runs one step and prints how it went. */
export async function step(what, run) {
  const at = Date.now()
  count += 1
  try {
    const result = await run()
    console.log(`ok   ${String(count).padStart(2)}  ${what} (${Date.now() - at} ms)`)
    return result
  } catch (error) {
    console.log(`FAIL ${String(count).padStart(2)}  ${what}`)
    throw error
  }
}

/** The story's last line, in the form that counts steps as tests. */
export function closing(failed) {
  const passed = count - (failed ? 1 : 0)
  console.log(`${passed} passed, ${failed ? 1 : 0} failed`)
  console.log(`in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

/** Runs a whole story and ends the process with its exit code. */
export async function tell(story) {
  const endings = []
  let failed = false
  try {
    await story(ending => endings.push(ending))
  } catch (error) {
    failed = true
    console.error(error)
  }
  for (const ending of endings.reverse()) {
    await Promise.resolve()
      .then(ending)
      .catch(error => console.error('while cleaning up:', error))
  }
  closing(failed)
  process.exit(failed ? 1 : 0)
}

/** A promise that another one outlives at most by `ms`. */
export function within(ms, what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Asks until the answer satisfies; for states that have no event to wait for. */
export async function until(what, ask, satisfied, ms = 30_000) {
  const end = Date.now() + ms
  for (;;) {
    const answer = await ask()
    if (satisfied(answer)) return answer
    if (Date.now() > end) {
      throw new Error(`${what}: still ${JSON.stringify(answer)?.slice(0, 2000)} after ${ms} ms`)
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Thirty texts that say whose they are. */
export function texts(who, n = 30) {
  return Array.from({ length: n }, (_, i) => `${who} ${i + 1}`)
}
