/**
 * The far side: the program of a node in a process of its own. Its orders are its only argument.
 */
import { type NodeOrders, openNode } from './node.js'
import { instant } from './time.js'

/** What it is asked. */
export interface Question {
  readonly id: number
  readonly verb: 'add' | 'revoke' | 'hasRefused' | 'log' | 'state' | 'block' | 'close'
  readonly argument?: unknown
}

/** What it answers: a value, or the code of an error. */
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly code?: string
}

const node = await openNode(JSON.parse(process.argv[2] as string) as NodeOrders)

function answerTo({ verb, argument }: Question): unknown {
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

async function answer(question: Question): Promise<void> {
  const { id, verb } = question
  try {
    const value = await answerTo(question)
    process.send?.({ id, value } satisfies Answer)
  } catch (error) {
    process.send?.({ id, code: (error as { code?: string }).code ?? String(error) })
  }
  if (verb === 'close') process.exit(0)
}

process.on('message', (question: Question) => void answer(question))
// A parent that died takes its nodes along.
process.on('disconnect', () => process.exit(0))
