type FieldProps = {
  name: string
  label: string
  type: 'email' | 'password' | 'text'
  autocomplete: string
  value?: string | undefined
  optional?: boolean
  autofocus?: boolean
  maxlength: number
  /** What a phone's keyboard begins in capitals. */
  capitals?: 'none' | 'words' | 'characters'
  /** A class of its own. */
  look?: 'code'
  /** What it takes, always shown. */
  hint?: string
  /** Why what was given is refused, next to it. */
  error?: string | undefined
}

/** A labelled input; hint and refusal are read out with it. */
export function Field({ name, label, type, optional = false, capitals = 'none', hint, error, look, ...input }: FieldProps) {
  const described = [...(error === undefined ? [] : [`${name}-error`]), ...(hint === undefined ? [] : [`${name}-hint`])].join(' ')
  return (
    <>
      <label for={name}>
        {label}
        {optional ? <span class="faint"> (optional)</span> : null}
      </label>
      <input
        id={name}
        name={name}
        type={type}
        {...input}
        required={!optional}
        autocapitalize={capitals}
        class={look}
        aria-invalid={error === undefined ? undefined : 'true'}
        aria-describedby={described || undefined}
      />
      {error === undefined ? null : (
        <p class="wrong" id={`${name}-error`}>
          {error}
        </p>
      )}
      {hint === undefined ? null : (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
    </>
  )
}

/** Fields that a form carries along unseen. */
export function HiddenFields({ fields }: { fields: Readonly<Record<string, string>> }) {
  return (
    <>
      {Object.entries(fields).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
    </>
  )
}

/** What a form answers as a whole when it is refused; read out as soon as the page is there. */
export function Refused({ message }: { message: string | undefined }) {
  return message === undefined ? null : (
    <p class="refused" role="alert">
      {message}
    </p>
  )
}
