const CODES = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", blue: "34", cyan: "36" } as const;

export type Colour = keyof typeof CODES;

/** Makes text stand out. See {@link styleFor}. */
export type Style = (colour: Colour, text: string) => string;

/** Colours for a terminal, none elsewhere, and none where `NO_COLOR` is set (https://no-color.org). */
export function styleFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  const isColoured = isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  return (colour, text) => (isColoured ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text);
}

/** Text from elsewhere for a terminal: what could steer the terminal stands there as JSON would write it. */
export function harmless(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
