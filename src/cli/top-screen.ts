import { timeText } from "./time-text.ts";
import { harmless, type Style } from "./style.ts";
import { tableLines, type Column } from "./table.ts";
import type { SortKey, TopModel, TopicDetail, TopRow } from "./top-model.ts";

/** The columns, and the key that sorts by each. */
export const COLUMNS: readonly (Column & { key: SortKey; press: string })[] = [
  { title: "TOPIC", key: "name", press: "n" },
  { title: "MSG/S", key: "rate", press: "r", isRight: true },
  { title: "MESSAGES", key: "messages", press: "m", isRight: true },
  { title: "SUBSCRIBERS", key: "subscribers", press: "s", isRight: true },
  { title: "BACKLOG", key: "backlog", press: "b", isRight: true },
  { title: "DROPS", key: "drops", press: "d", isRight: true },
];

export type Size = { columns: number; rows: number };

/** What stands on the screen: as many lines as fit. */
export type View = { url: string; model: TopModel; size: Size; style: Style; problem: string | undefined };

/** The table of topics. */
export function topicsScreen({ url, model, size, style, problem }: View): string[] {
  const rows = model.rows();
  const head = [...totalLines(url, model, style, problem), ""];
  const foot = style("dim", "sort: n r m s b d   choose: ↑ ↓   open: Enter   quit: q");
  const room = Math.max(1, size.rows - head.length - 3);
  const chosen = model.selectedIndex(rows);
  const first = Math.max(0, Math.min(chosen - Math.floor(room / 2), rows.length - room));
  const shown = rows.slice(first, first + room);
  const columns = COLUMNS.map(({ key, title, ...column }) => {
    return { ...column, title: key === model.sort ? `${title}${model.isReversed ? "↑" : "↓"}` : title };
  });
  const nameWidth = Math.max(10, size.columns - 60);
  const plain: Style = (_, text) => text;
  const [title = "", ...lines] = tableLines(
    columns,
    shown.map((row) => cellsOf(row, nameWidth)),
    plain,
  );
  const body = lines.map((line, index) => (first + index === chosen ? `\u001b[7m${line}\u001b[27m` : line));
  const empty = rows.length === 0 ? ["There are no topics."] : [];
  return [...head, style("bold", title), ...body, ...empty, "", foot];
}

/** One topic with its subscribers. */
export function topicScreen(name: string, { model, size, style, problem }: View): string[] {
  const detail = model.detail(name);
  const foot = style("dim", "back: Esc   quit: q");
  if (detail === undefined) {
    const text = model.rows().some((row) => row.name === name) ? "…" : "It is not there any more.";
    return [style("bold", harmless(name)), "", text, "", foot];
  }
  const { epoch, seq, oldest_seq, history, subscribers_total } = detail;
  const rate = model.rows().find((row) => row.name === name)?.rate;
  const head = [
    style("bold", truncated(harmless(name), size.columns)),
    ...(problem === undefined ? [] : [style("red", problem)]),
    `position ${epoch}:${seq}   ${rateText(rate)} messages/s`,
    `history  ${history.messages} messages from ${oldest_seq} on, ${history.bytes} bytes`,
    "",
  ];
  const room = Math.max(1, size.rows - head.length - 4);
  const rows = [...detail.subscribers].sort((a, b) => b.dropped - a.dropped || b.queued - a.queued).slice(0, room);
  const more = subscribers_total > rows.length ? [style("dim", `and ${subscribers_total - rows.length} more`)] : [];
  return [...head, ...tableLines(SUBSCRIBER_COLUMNS, rows.map(subscriberCells), style), ...more, "", foot];
}

/** The table for those who do not look at a terminal. */
export function plainTable(model: TopModel): string[] {
  return tableLines(
    COLUMNS,
    model.rows().map((row) => cellsOf(row, Number.POSITIVE_INFINITY)),
    (_, text) => text,
  );
}

const SUBSCRIBER_COLUMNS: readonly Column[] = [
  { title: "SUBSCRIBER" },
  { title: "BY" },
  { title: "QUEUED", isRight: true },
  { title: "DROPPED", isRight: true },
  { title: "SINCE" },
];

function subscriberCells(one: TopicDetail["subscribers"][number]): string[] {
  return [
    truncated(one.client_id, 40),
    one.transport,
    String(one.queued),
    String(one.dropped),
    one.connected_since.slice(0, 19).replace("T", " "),
  ];
}

function totalLines(url: string, model: TopModel, style: Style, problem: string | undefined): string[] {
  const { topics, subscribers, rate, deliveries, drops, cpuShare, memoryBytes, uptimeSec } = model.totals();
  const cpu = cpuShare === undefined ? "-" : `${Math.round(cpuShare * 100)} %`;
  const memory = memoryBytes === undefined ? "-" : `${Math.round(memoryBytes / 1024 / 1024)} MiB`;
  const dropped = `${rateText(drops)} drops/s`;
  return [
    `${style("bold", url)}   up ${timeText(uptimeSec)}   CPU ${cpu}   memory ${memory}`,
    `topics ${topics}   subscribers ${subscribers}   ${rateText(rate)} messages/s   ` +
      `${rateText(deliveries)} deliveries/s   ${drops !== undefined && drops > 0 ? style("yellow", dropped) : dropped}`,
    ...(problem === undefined ? [] : [style("red", problem)]),
  ];
}

function cellsOf(row: TopRow, nameWidth: number): string[] {
  const known = (value: number | undefined) => (value === undefined ? "-" : String(value));
  const { name, rate, messages, subscribers, backlog, drops } = row;
  return [
    truncated(harmless(name), nameWidth),
    rateText(rate),
    String(messages),
    String(subscribers),
    known(backlog),
    known(drops),
  ];
}

function rateText(rate: number | undefined): string {
  if (rate === undefined) return "-";
  return rate > 0 && rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}

/** Text that takes no more columns than that. */
export function truncated(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  let short = "";
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (Bun.stringWidth(short + segment) > width - 1) break;
    short += segment;
  }
  return `${short}…`;
}
