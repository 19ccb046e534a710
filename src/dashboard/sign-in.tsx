import { useLayoutEffect, useRef, useState } from "preact/hooks";

type Props = {
  refusal: string | undefined;
  /** Nobody has signed out: one can begin to type. */
  isFirst: boolean;
  signIn: (credential: string) => void;
};

/** Asks for a key or a token. */
export function SignIn({ refusal, isFirst, signIn }: Props) {
  const [credential, setCredential] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (refusal !== undefined || isFirst) field.current?.focus();
  }, [refusal]);
  const submit = (event: Event): void => {
    event.preventDefault();
    if (credential.trim() !== "") signIn(credential.trim());
  };
  return (
    <main class="sign-in">
      <form class="panel" onSubmit={submit}>
        <h2 tabindex={-1}>Sign in</h2>
        <p>This server asks for an API key or a token. It is kept for this tab only, until you close it.</p>
        <label class="field">
          Key or token
          <input
            ref={field}
            type="password"
            name="credential"
            value={credential}
            onInput={({ currentTarget }) => setCredential(currentTarget.value)}
            required
            autocomplete="off"
            aria-describedby="refusal"
          />
        </label>
        <p class="problem" id="refusal" role="alert">
          {refusal}
        </p>
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </main>
  );
}
