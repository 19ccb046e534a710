import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "../support/browser.ts";

/** How often something is looked for before it is given up. */
const TRIES = 600;

/** Looks for an element by what a person, or a screen reader, calls it. Part of the page under test while it runs. */
const FINDER = `
  (selector, name) => [...document.querySelectorAll(selector)].find((element) => {
    const label = element.labels?.[0];
    const names = [element.getAttribute("aria-label"), label?.textContent, element.textContent].filter(Boolean);
    return element.checkVisibility() && names.some((one) => one.trim() === name);
  })
`;

/** Reports what the policy forbids. */
const WATCH_POLICY = `
  globalThis.forbidden = [];
  addEventListener("securitypolicyviolation", (event) => forbidden.push(event.violatedDirective + " " + event.blockedURI));
`;

/** The page in a real Chromium, and what a person does with it. */
export class Dashboard implements Disposable {
  /** Errors and warnings of the console, and exceptions. */
  readonly errors: string[] = [];
  /** Requests that the browser itself reports as failed. */
  readonly failures: string[] = [];
  /** The address of everything that was asked for, WebSockets too. */
  readonly requests: string[] = [];
  readonly view: Bun.WebView;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(view: Bun.WebView) {
    this.view = view;
  }

  static async open(browser: Browser, server: { url: string }, hash = ""): Promise<Dashboard> {
    const view = await browser.open("about:blank");
    const page = new Dashboard(view);
    const note = (list: string[], text: (data: string) => string | undefined) => (event: MessageEvent) => {
      const noted = text(JSON.stringify(event.data));
      if (noted !== undefined) list.push(noted);
    };
    view.addEventListener(
      "Runtime.consoleAPICalled",
      note(page.errors, (data) => (/"type":"(error|warning|assert)"/.test(data) ? data : undefined)),
    );
    view.addEventListener(
      "Runtime.exceptionThrown",
      note(page.errors, (data) => data),
    );
    view.addEventListener("Log.entryAdded", (event) => {
      const data = JSON.stringify(event.data);
      if (/"level":"(error|warning)"/.test(data))
        (/"source":"network"/.test(data) ? page.failures : page.errors).push(data);
    });
    for (const event of ["Network.requestWillBeSent", "Network.webSocketCreated"] as const) {
      view.addEventListener(
        event,
        note(page.requests, (data) => /"url":"([^"]*)"/.exec(data)?.[1]),
      );
    }
    for (const domain of ["Runtime", "Log", "Network", "Page"]) await view.cdp(`${domain}.enable`);
    await view.cdp("Page.addScriptToEvaluateOnNewDocument", { source: WATCH_POLICY });
    await page.size(1280, 800);
    await view.navigate(`${server.url}/${hash}`);
    return page;
  }

  /** Evaluates an expression, after the one before. */
  evaluate(expression: string): Promise<unknown> {
    const next = this.#last.then(() => this.view.evaluate(expression));
    this.#last = next.catch(() => {});
    return next;
  }

  /** Waits until an expression is truthy, and returns it. */
  async until(expression: string, what = expression): Promise<unknown> {
    for (let i = 0; i < TRIES; i++) {
      const value = await this.evaluate(expression);
      if (Boolean(value)) return value;
      await Bun.sleep(50);
    }
    throw new Error(`Not in the page: ${what}. It has: ${await this.text()}`);
  }

  async text(): Promise<string> {
    return String(await this.evaluate("document.body.innerText"));
  }

  /** Waits for a text, wherever it stands. */
  untilText(text: string): Promise<unknown> {
    return this.until(`document.body.innerText.includes(${JSON.stringify(text)})`, text);
  }

  untilNoText(text: string): Promise<unknown> {
    return this.until(`!document.body.innerText.includes(${JSON.stringify(text)})`, `no ${text}`);
  }

  /** How many elements there are. */
  async count(selector: string): Promise<number> {
    return Number(await this.evaluate(`document.querySelectorAll(${JSON.stringify(selector)}).length`));
  }

  /** Presses a button, tab or link by its name. */
  async click(name: string): Promise<void> {
    await this.#focus("button, a, summary, [role=tab]", name);
    // A key that is really pressed is a gesture of the user, which the clipboard asks for.
    await this.press("Enter");
  }

  /** Types into a field by its name, in place of what it has. */
  async fill(name: string, text: string): Promise<void> {
    await this.#focus("input, textarea", name);
    await this.evaluate("document.activeElement.select()");
    await this.evaluate("document.execCommand('delete')");
    await this.type(text);
  }

  async signIn(credential: string): Promise<void> {
    await this.fill("Key or token", credential);
    await this.press("Enter");
  }

  async type(text: string): Promise<void> {
    await this.view.type(text);
  }

  async press(key: string): Promise<void> {
    await this.view.press(key);
  }

  /** What the keyboard is at. */
  async focused(): Promise<string> {
    const named = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent";
    return String(await this.evaluate(named)).trim();
  }

  go(hash: string): Promise<unknown> {
    return this.evaluate(`void (location.hash = ${JSON.stringify(hash)})`);
  }

  async scheme(scheme: "light" | "dark"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.view.cdp("Emulation.setEmulatedMedia", { features });
  }

  async size(width: number, height: number): Promise<void> {
    const mobile = width < 600;
    await this.view.cdp("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile });
  }

  /** A picture of the page in the folder that `PUBSUB_SCREENSHOTS` names; nothing without it. */
  async screenshot(name: string): Promise<void> {
    const folder = process.env["PUBSUB_SCREENSHOTS"];
    if (folder === undefined || folder === "") return;
    mkdirSync(folder, { recursive: true });
    await this.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    await Bun.write(join(folder, `${name}.png`), await this.view.screenshot());
  }

  [Symbol.dispose](): void {
    this.view.close();
  }

  async #focus(selector: string, name: string): Promise<void> {
    const found = `(${FINDER})(${JSON.stringify(selector)}, ${JSON.stringify(name)})`;
    await this.until(
      `(() => { const one = ${found}; one?.focus(); return one !== undefined && one === document.activeElement; })()`,
      name,
    );
  }
}

/** What must be so in each test that has no failure on purpose. */
export async function expectClean(page: Dashboard, server: { url: string }): Promise<void> {
  expect([page.errors, page.failures, await page.evaluate("forbidden")]).toEqual([[], [], []]);
  const { host } = new URL(server.url);
  const elsewhere = page.requests.filter(
    (url) => !url.startsWith("data:") && url !== "about:blank" && new URL(url).host !== host,
  );
  expect(elsewhere).toEqual([]);
}
