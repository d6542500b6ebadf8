/**
 * The editor's view of a definition: problems, hovers and completions.
 *
 * Role: speaks the language server protocol with TypeScript's own server, so that tests see to the letter
 * what a person sees. Boundary: knows nothing of the language that is tested.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

const tsc = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url))

export interface Position {
  readonly line: number
  readonly character: number
}

export interface Problem {
  readonly range: { readonly start: Position }
  readonly code: number
  readonly message: string
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** The messages that are whole in `received`, and what is left over. */
const cutMessages = (received: Buffer): { messages: Message[]; rest: Buffer } => {
  const messages: Message[] = []
  let rest = received
  for (;;) {
    const head = rest.indexOf('\r\n\r\n')
    const length = Number(/Content-Length: (\d+)/.exec(rest.subarray(0, Math.max(head, 0)).toString())?.[1])
    if (head < 0 || rest.length < head + 4 + length) return { messages, rest }
    messages.push(JSON.parse(rest.subarray(head + 4, head + 4 + length).toString()) as Message)
    rest = rest.subarray(head + 4 + length)
  }
}

/** One language server on a project's folder. Close it at the end. */
export class Editor {
  readonly #server: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >()
  readonly #opened = new Set<string>()
  #rest: Buffer = Buffer.alloc(0)
  #lastId = 0

  private constructor(folder: string) {
    this.#server = spawn(process.execPath, [tsc, '--lsp', '--stdio'], { cwd: folder })
    this.#server.stdout.on('data', (chunk: Buffer) => this.#receive(chunk))
    this.#server.on('exit', code => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the language server ended with ${code}`))
    })
  }

  static async open(folder: string): Promise<Editor> {
    const editor = new Editor(folder)
    const capabilities = {
      textDocument: { hover: { contentFormat: ['markdown'] }, completion: {}, diagnostic: {} },
    }
    await editor.#ask('initialize', {
      processId: process.pid,
      rootUri: pathToFileURL(folder).href,
      capabilities,
    })
    editor.#send({ method: 'initialized', params: {} })
    return editor
  }

  async close(): Promise<void> {
    const ended = new Promise(resolve => this.#server.once('exit', resolve))
    await this.#ask('shutdown')
    this.#send({ method: 'exit' })
    await ended
  }

  /** What is underlined in the file. */
  async problems(file: string): Promise<readonly Problem[]> {
    const report = await this.#ask('textDocument/diagnostic', { textDocument: this.#open(file) })
    return (report as { items: Problem[] }).items.filter(
      problem => (problem as { severity?: number }).severity === 1,
    )
  }

  /** What is shown over a position, as Markdown: the type in a code block, then the documentation. */
  async hover(file: string, position: Position): Promise<string> {
    const shown = await this.#ask('textDocument/hover', { textDocument: this.#open(file), position })
    return (shown as { contents: { value: string } } | null)?.contents.value ?? ''
  }

  /** What is offered at a position, in the order offered. */
  async completions(file: string, position: Position): Promise<readonly string[]> {
    const offered = await this.#ask('textDocument/completion', { textDocument: this.#open(file), position })
    return (offered as { items: { label: string }[] } | null)?.items.map(item => item.label) ?? []
  }

  #open(file: string): { readonly uri: string } {
    const uri = pathToFileURL(file).href
    if (!this.#opened.has(uri)) {
      this.#opened.add(uri)
      const textDocument = { uri, languageId: 'typescript', version: 1, text: readFileSync(file, 'utf8') }
      this.#send({ method: 'textDocument/didOpen', params: { textDocument } })
    }
    return { uri }
  }

  #ask(method: string, params?: unknown): Promise<unknown> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#send({ id, method, params })
    })
  }

  #send(message: object): void {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }))
    this.#server.stdin.write(`Content-Length: ${body.length}\r\n\r\n`)
    this.#server.stdin.write(body)
  }

  #receive(chunk: Buffer): void {
    const { messages, rest } = cutMessages(Buffer.concat([this.#rest, chunk]))
    this.#rest = rest
    for (const message of messages) this.#take(message)
  }

  #take(message: Message): void {
    if (message.id === undefined) return
    // The server's own questions (settings, watched files) have no answer that matters here.
    if (message.method !== undefined) {
      this.#send({ id: message.id, result: null })
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.error) waiting?.reject(new Error(message.error.message))
    else waiting?.resolve(message.result)
  }
}
