/**
 * Words a failure as it is told once it has ended what met it.
 * What meets a failure that may pass usually tries again, and the failure says so. A command that
 * it ended does not. The sentences can come from another process, so that they are told by their
 * words.
 */
export function wordEnd(message: string): string {
  return message.replaceAll(
    /\b([Ii])t is tried again(?=\.)/g,
    (_, letter) => `${letter === 'I' ? 'N' : 'n'}othing is tried again by itself`,
  );
}
