/** Milliseconds between two looks at the memory of the process. */
const LOOK_EVERY_MS = 50;

/**
 * Begins to measure this process: its CPU, and the most memory that it was seen to hold.
 * The returned function ends the measurement. Memory is the resident set, embedded database
 * included.
 */
export function measureProcess(): () => { readonly cpuMs: number; readonly peakMemoryBytes: number } {
  const before = process.cpuUsage();
  let peakMemoryBytes = process.memoryUsage.rss();
  const look = () => {
    peakMemoryBytes = Math.max(peakMemoryBytes, process.memoryUsage.rss());
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => {
    clearInterval(timer);
    look();
    const { user, system } = process.cpuUsage(before);
    return { cpuMs: (user + system) / 1000, peakMemoryBytes };
  };
}
