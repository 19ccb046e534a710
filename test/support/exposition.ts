/** The labels of a sample, unescaped. */
export type Labels = Readonly<Record<string, string>>;
/** `name` is the metric's own, or that with the ending of a part of a histogram. */
type Sample = { name: string; labels: Labels; value: number };
/** A metric and all that there is of it. */
export type Family = { type: string; help: string; samples: Sample[] };

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;

/** Parses the Prometheus text format, version 0.0.4; throws at whatever is not as it says, or is there twice. */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line does not end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: { name: string; family: Family } | undefined;
  let help: { name: string; text: string } | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const fault = (what: string) => new Error(`${what}: ${line}`);
    const [, keyword, about = "", rest = ""] = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line) ?? [];
    if (keyword === "HELP") {
      if (families.has(about) || help !== undefined) throw fault("Help out of place");
      help = { name: about, text: rest };
    } else if (keyword === "TYPE") {
      if (help?.name !== about) throw fault("A type without help before it");
      if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw fault("No type");
      const family = { type: rest, help: help.text, samples: [] };
      families.set(about, family);
      current = { name: about, family };
      help = undefined;
    } else {
      const [, name, labelText, value = ""] = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line) ?? [];
      if (name === undefined || help !== undefined || current === undefined) throw fault("A sample out of place");
      const ending = name.startsWith(current.name) ? name.slice(current.name.length) : undefined;
      const endings = current.family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (ending === undefined || !endings.includes(ending)) throw fault("A sample out of place");
      if (!VALUE.test(value)) throw fault("No value");
      const labels = labelText === undefined ? {} : parseLabels(labelText);
      const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
      if (seen.has(key)) throw fault("A sample twice");
      seen.add(key);
      current.family.samples.push({ name, labels, value: Number(value.replace("Inf", "Infinity")) });
    }
  }
  if (help !== undefined) throw new Error(`Help for nothing: ${help.name}`);
  return families;
}

function parseLabels(text: string): Labels {
  const labels = new Map<string, string>();
  for (let rest = text; rest !== "";) {
    const [whole, label, escaped, comma] = LABEL.exec(rest) ?? [];
    if (whole === undefined || label === undefined || escaped === undefined) throw new Error(`No label: ${rest}`);
    if (labels.has(label)) throw new Error(`A label twice: ${rest}`);
    labels.set(
      label,
      escaped.replaceAll(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter)),
    );
    rest = rest.slice(whole.length);
    if (comma === "," && rest === "") throw new Error(`A label is missing: ${text}`);
  }
  return Object.fromEntries(labels);
}
