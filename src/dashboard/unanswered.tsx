import { plural } from "./format.ts";

/** Says that subscribers are missing from what is shown, as their nodes did not answer. */
export function Unanswered({ nodes }: { nodes: number }) {
  return (
    <p class="unanswered" role="status">
      {nodes > 0 &&
        `${plural(nodes, "node")} did not answer in time. ${nodes === 1 ? "Its" : "Their"} subscribers are missing here.`}
    </p>
  );
}
