/** The root of the repository. */
export const root: string

/**
 * Bundles the programs, such as `examples/demo.ts`, into a folder inside the repository. Resolves with the folder and the
 * path of each bundle, in the same order.
 */
export function bundle(
  programs: readonly string[],
  name: string,
): Promise<{ readonly folder: string; readonly bundles: readonly string[] }>
