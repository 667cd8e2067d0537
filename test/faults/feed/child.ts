/**
 * The program of a node in a separate process. Its orders are its only argument.
 */
import { type NodeOrders, openNode } from './node.js'
import { instant } from './time.js'

/** A request to the process. */
export interface Question {
  readonly id: number
  readonly verb: 'add' | 'revoke' | 'hasRefused' | 'log' | 'state' | 'block' | 'close'
  readonly argument?: unknown
}

/** The reply: a value, or the code of an error. */
export interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly code?: string
}

const node = await openNode(JSON.parse(process.argv[2] as string) as NodeOrders)

function resultOf({ verb, argument }: Question): unknown {
  switch (verb) {
    case 'add':
      return node.add(argument as string[])
    case 'revoke':
      return node.revoke(argument as string).then(() => undefined)
    case 'hasRefused':
      return node.hasRefused(argument as number[])
    case 'block':
      return block(argument as number)
    default:
      return node[verb]()
  }
}

function block(ms: number): void {
  const until = instant() + ms
  while (instant() < until);
}

async function reply(question: Question): Promise<void> {
  const { id, verb } = question
  try {
    const value = await resultOf(question)
    process.send?.({ id, value } satisfies Reply)
  } catch (error) {
    process.send?.({ id, code: (error as { code?: string }).code ?? String(error) })
  }
  if (verb === 'close') process.exit(0)
}

process.on('message', (question: Question) => void reply(question))
// Exits when the parent process has died.
process.on('disconnect', () => process.exit(0))
