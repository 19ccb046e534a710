import { useState } from "preact/hooks";

/** Asks for a key or a token. */
export function SignIn({ refusal, signIn }: { refusal: string | undefined; signIn: (credential: string) => void }) {
  const [credential, setCredential] = useState("");
  const submit = (event: Event): void => {
    event.preventDefault();
    if (credential.trim() !== "") signIn(credential.trim());
  };
  return (
    <main class="sign-in">
      <form class="panel" onSubmit={submit}>
        <h2>Sign in</h2>
        <p>This server asks for an API key or a token. It is kept for this tab only, until you close it.</p>
        <label class="field">
          Key or token
          <input
            type="password"
            name="credential"
            value={credential}
            onInput={({ currentTarget }) => setCredential(currentTarget.value)}
            required
            autofocus
            autocomplete="off"
            aria-describedby="refusal"
          />
        </label>
        <p class="problem" id="refusal" role="alert">
          {refusal !== undefined && `The server refused it. ${refusal}.`}
        </p>
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </main>
  );
}
