import { harmless, type Style } from "./style.ts";

/** A column: its title, and whether it is set to the right, as numbers are. */
export type Column = { title: string; isRight?: boolean };

/** Rows under titles, aligned, without a space at the end of a line. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], style: Style): string[] {
  const cells = rows.map((row) => row.map(harmless));
  const widths = columns.map(({ title }, index) => {
    return Math.max(...[title, ...cells.map((row) => row[index] ?? "")].map((cell) => Bun.stringWidth(cell)));
  });
  const lineOf = (row: readonly string[]) =>
    columns
      .map(({ isRight }, index) => {
        const cell = row[index] ?? "";
        const space = " ".repeat((widths[index] ?? 0) - Bun.stringWidth(cell));
        return isRight === true ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd();
  return [style("bold", lineOf(columns.map(({ title }) => title))), ...cells.map(lineOf)];
}
