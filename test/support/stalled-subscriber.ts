import { RawClient } from "./raw-client.ts";

/** A process of its own: subscribes to topic `t`, begins another frame, prints a line, and never reads again. */
const client = await RawClient.subscribe({ port: Number(process.argv[2]) }, "stalled");
client.socket.write(new Uint8Array([0x81]));
console.log("subscribed");
setInterval(() => {}, 1000);
