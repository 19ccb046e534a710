import type { Server } from "bun";
import type { ClientAddress } from "../ops/client-address.ts";

/** What of Bun's server tells where a request comes from. */
export type Locating = Pick<Server<unknown>, "requestIP">;

/** The address of the client that asks; undefined where it is gone. */
export type AddressOf = (request: Request, server: Locating) => string | undefined;

export function addressBy(clients: ClientAddress): AddressOf {
  return (request, server) => {
    const remote = server.requestIP(request)?.address;
    return remote && clients.of(remote, request.headers.get("x-forwarded-for"));
  };
}
