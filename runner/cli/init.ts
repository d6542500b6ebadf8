import { constants, existsSync } from 'node:fs'
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { InputError } from '../../src/errors.ts'
import { ownPackage } from '../load/own-package.ts'
import { type Command, wrong } from './command.ts'
import { print } from './io.ts'

/** `release init`: writes a first definition that runs as it is. Overwrites nothing. */
export const init: Command = {
  name: 'init',
  usage: '[DIR]',
  summary: 'Writes a first definition, with a small service, that runs as it is. Overwrites nothing.',
  example: 'release init hello && cd hello && release run --yes',
  options: {},
  takes: [0, 1],
  run: async (invocation, io) => {
    const folder = resolve(io.cwd, invocation.args[0] ?? '.')
    const template = join(ownPackage().root, 'templates/first')
    // Commands start beside the nearest package.json: without one of its own, the folder would lean on one above it.
    const hasPackage = existsSync(join(folder, 'package.json'))
    const files = (await filesOf(template)).filter(file => !(hasPackage && file === 'package.json'))
    const taken = files.filter(file => existsSync(join(folder, file)))
    if (taken.length > 0) {
      throw new InputError(
        taken.map(file =>
          wrong(
            'file-exists',
            `${join(folder, file)} is there already`,
            'Name another folder: release init DIR.',
          ),
        ),
      )
    }
    for (const file of files) {
      await makeFolder(dirname(join(folder, file)))
      await copyFile(join(template, file), join(folder, file), constants.COPYFILE_EXCL)
    }
    const place = relative(io.cwd, folder)
    print(io, {
      json: { folder, files },
      text: [
        ...files.map(file => `wrote ${join(place, file)}`),
        '',
        'Next:',
        ...(place === '' ? [] : [`  cd ${place}`]),
        '  release plan',
        '  release run --yes',
      ].join('\n'),
    })
    return 0
  },
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw new InputError([
      wrong(
        'folder-unusable',
        `the folder ${folder} cannot be made: ${(error as Error).message}`,
        'Name another folder: release init DIR.',
      ),
    ])
  }
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}
