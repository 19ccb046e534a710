/** One figure with its name. */
export function Tile({ name, value, note }: { name: string; value: string; note?: string | undefined }) {
  return (
    <div class="panel tile">
      <dt>{name}</dt>
      <dd>
        <span class="value number">{value}</span>
        {note !== undefined && <span class="tile-note">{note}</span>}
      </dd>
    </div>
  );
}
