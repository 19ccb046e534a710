import { RawClient } from "./raw-client.ts";

/** A process of its own: subscribes to topic `t`, begins another frame, prints a line, and never reads again. */
const client = await RawClient.connect({ port: Number(process.argv[2]) });
client.send({ type: "subscribe", topic: "t", client_id: "stalled" });
await client.readUntil((frames) => frames.length > 0);
client.socket.write(new Uint8Array([0x81]));
console.log("subscribed");
setInterval(() => {}, 1000);
