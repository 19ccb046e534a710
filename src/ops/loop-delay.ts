import type { Histogram } from "./histogram.ts";

/** How often the loop is asked, in milliseconds. */
const INTERVAL_MS = 200;

/** Measures how late timers fire: that long everything else waits as well. Returns how to stop it. */
export function watchLoopDelay(delays: Histogram): () => void {
  let due = performance.now() + INTERVAL_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    delays.observe(Math.max(0, now - due) / 1000);
    due = now + INTERVAL_MS;
  }, INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
