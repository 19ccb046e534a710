/** `2d 3h 4m 5s`, without what is 0 at the front. */
export function timeText(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [Math.floor(seconds) % 60, "s"],
  ] as const;
  const from = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(from < 0 ? -1 : from)
    .map(([count, unit]) => `${count}${unit}`)
    .join(" ");
}
