import type { Server } from "bun";
import type { ClientAddress } from "../ops/client-address.ts";

/** The address of the client that asks; undefined where it is gone. */
export type AddressOf = (request: Request, server: Pick<Server<unknown>, "requestIP">) => string | undefined;

export function addressBy(clients: ClientAddress): AddressOf {
  return (request, server) => {
    const remote = server.requestIP(request)?.address;
    return remote && clients.of(remote, request.headers.get("x-forwarded-for"));
  };
}
