/**
 * The gate of every call and push: open, hung, or cut off.
 *
 * @module
 */

/** The connection between one node and its feed. */
export interface Gate {
  /** Waits while the gate hangs. Rejects while it is cut off. */
  pass(what: string): Promise<void>
  /** Runs the work as soon as the gate does not hang, synchronously if it does not hang now. */
  whenFree(work: () => void): void
  readonly isCut: boolean
  /** Calls `end` when the gate is cut off. Returns a function that removes the listener. */
  onCut(end: (error: Error) => void): () => void
  partition(): void
  heal(): void
  hang(): void
  resume(): void
}

/** An open gate. */
export function openGate(): Gate {
  const ends = new Set<(error: Error) => void>()
  let isCut = false
  let hung: PromiseWithEnd | undefined

  async function free(): Promise<void> {
    while (hung !== undefined) await hung.over
  }

  return {
    async pass(what) {
      await free()
      if (isCut) throw cutOff(what)
    },
    whenFree(work) {
      if (hung === undefined) work()
      else void free().then(work)
    },
    get isCut() {
      return isCut
    },
    onCut(end) {
      ends.add(end)
      return () => void ends.delete(end)
    },
    partition() {
      isCut = true
      for (const end of ends) end(cutOff('watch'))
    },
    heal() {
      isCut = false
    },
    hang() {
      hung ??= pending()
    },
    resume() {
      const before = hung
      hung = undefined
      before?.end()
    },
  }
}

const cutOff = (what: string) => new Error(`chaos: ${what} is cut off`)

interface PromiseWithEnd {
  readonly over: Promise<void>
  readonly end: () => void
}

function pending(): PromiseWithEnd {
  let end = () => {}
  const over = new Promise<void>((resolve) => {
    end = resolve
  })
  return { over, end }
}
