import { count, duration } from "./format.ts";
import { compareNames } from "./names.tsx";
import type { NodeInfo, Nodes } from "./read.ts";

/** Whether there are several: a single one is the server itself. */
export function isShared(nodes: Nodes | undefined): nodes is Nodes {
  return nodes !== undefined && nodes.all.length > 1;
}

/** The nodes that share the topics. */
export function NodeList({ nodes: { own, all }, isStale }: { nodes: Nodes; isStale: boolean }) {
  const inOrder = all.toSorted((a, b) => compareNames(placeOf(a), placeOf(b)));
  return (
    // Where there is little room it scrolls sideways, and a keyboard has to get there.
    <section class="panel nodes" aria-label="Nodes" tabindex={0}>
      <h3>Nodes</h3>
      <table class="cards">
        <caption>{count(all.length)} nodes share all topics.</caption>
        <thead>
          <tr>
            <th scope="col">Address</th>
            <th scope="col">Id</th>
            <th scope="col">Version</th>
            <th scope="col">Running for</th>
            <th scope="col" class="number">
              Connections
            </th>
            <th scope="col" class="number">
              Subscriptions
            </th>
          </tr>
        </thead>
        <tbody>
          {inOrder.map((node) => (
            <Row key={node.id} node={node} isOwn={node.id === own} isStale={isStale} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A node that was started again has another id, and stands where it stood. */
function placeOf({ address, id }: NodeInfo): string {
  return `${address} ${id}`;
}

function Row({ node, isOwn, isStale }: { node: NodeInfo; isOwn: boolean; isStale: boolean }) {
  const { id, address, version, startedAt, connections, subscriptions } = node;
  return (
    <tr>
      <th scope="row" data-label="Address">
        <span class="name">{address}</span>
        {isOwn && <span class="badge own">serves this page</span>}
      </th>
      <td data-label="Id">{id}</td>
      <td data-label="Version">{version}</td>
      <td data-label="Running for" class="nowrap">
        {isStale ? "–" : duration(Date.now() - startedAt)}
      </td>
      <td data-label="Connections" class="number">
        {count(connections)}
      </td>
      <td data-label="Subscriptions" class="number">
        {count(subscriptions)}
      </td>
    </tr>
  );
}
