import { findBundle } from '../../bin/bundle/find-bundle.ts';

/** Makes the bundle of the command line before any test starts it: two that did would each make one. */
export async function setup(): Promise<void> {
  await findBundle();
}
