import { command } from "./command.ts";
import { EXIT } from "./exit.ts";
import { toggle } from "./flag-kinds.ts";
import { SERVER, serverOf } from "./server.ts";
import { timeText } from "./time-text.ts";

export const health = command({
  name: "health",
  summary: "say how a server is: ready or not, how long it runs, its topics and subscribers",
  notes: ["The exit code says whether it is ready."],
  flags: { json: toggle("a line of JSON, on a terminal too"), ...SERVER },
  example: "health --url http://localhost:8000",
  exits: ["done", "failed", "usage", "refused"],
  async run({ flags }, context) {
    const server = serverOf(flags, context);
    try {
      const isReady = await server.api.isReady();
      const answer = await server.api.health();
      if (!context.isTerminal || flags.json) await context.print(JSON.stringify({ ready: isReady, ...answer }));
      else {
        const state = isReady ? context.style("green", "ready") : context.style("red", "not ready");
        await context.print(
          [
            `server       ${server.url}`,
            `state        ${state}`,
            `uptime       ${timeText(answer.uptime_sec)}`,
            `topics       ${answer.topics}`,
            `subscribers  ${answer.subscribers}`,
          ].join("\n"),
        );
      }
      return isReady ? EXIT.done : EXIT.failed;
    } catch (cause) {
      throw server.failure(cause);
    }
  },
});
