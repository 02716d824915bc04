/** The one style of every page. Colours by `light-dark()`, each text at least 4.5:1 on its ground (WCAG 2.2, 1.4.3). */
export const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif;
  --ground: light-dark(#f3f5f8, #131518); --card: light-dark(#fff, #1d2024); --text: light-dark(#1b1e22, #e6e8eb);
  --faint: light-dark(#565c64, #a4aab3); --line: light-dark(#cfd4db, #43484f); --edge: light-dark(#767d87, #858c96);
  --link: light-dark(#0b57d0, #a8c7fa); --act: light-dark(#0b57d0, #a8c7fa); --on-act: light-dark(#fff, #0a2350);
  --bad: light-dark(#b3261e, #f7b4ae); --bad-ground: light-dark(#fdecea, #3a1d1b); --warn-ground: light-dark(#fff4d6, #3a3015); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); overflow-wrap: anywhere; }
main { margin: 0 auto; max-width: 46rem; padding: 2rem 1rem; }
main.card { max-width: 26rem; padding: 1.75rem 1.5rem; background: var(--card); }
@media (min-width: 30rem) { main.card { margin-block: max(2rem, 9vh) 2rem; padding: 2.25rem; border: 1px solid var(--line); border-radius: 1rem; } }
@media (max-width: 29.99rem) { body:has(main.card) { background: var(--card); } }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; } h2 { font-size: 1.05rem; margin: 0; }
.brand { font-size: .9rem; font-weight: 600; color: var(--faint); margin: 0 0 1.25rem; }
p { margin: 0 0 1rem; } main > :last-child { margin-bottom: 0; }
a { color: var(--link); text-underline-offset: .15em; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 1rem 0; background: var(--card); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .75rem 0 0; font: .9rem/1.5 ui-monospace, monospace; }
code { font: .92em/1.4 ui-monospace, monospace; }
.faint { color: var(--faint); font-size: .9rem; }
article .faint { margin: 0; }
form { margin: 0 0 1.25rem; }
label { display: block; font-weight: 600; margin: 0 0 .25rem; }
label .faint { font-weight: 400; }
input { display: block; width: 100%; min-height: 2.9rem; margin: 0 0 1rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; }
input[aria-invalid] { border: 2px solid var(--bad); }
input.code { font: 1.35rem/1.4 ui-monospace, monospace; letter-spacing: .12em; text-align: center; text-transform: uppercase; }
input + .hint, input + .wrong, .wrong + .hint { margin-top: -.75rem; }
.hint { color: var(--faint); font-size: .9rem; margin: 0 0 1rem; }
.wrong { color: var(--bad); font-size: .95rem; margin: 0 0 1rem; }
.refused { color: var(--bad); background: var(--bad-ground); border-radius: .5rem; padding: .75rem 1rem; }
.warning { background: var(--warn-ground); border-radius: .5rem; padding: .75rem 1rem; }
button { display: block; width: 100%; min-height: 2.9rem; padding: .5rem 1rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--link); background: transparent; border: 1px solid var(--edge); border-radius: .5rem; }
button.act { color: var(--on-act); background: var(--act); border-color: var(--act); }
button + button { margin-top: .75rem; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.theirs { font-weight: 600; overflow: hidden; }
.app { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; } .app .theirs { font-size: 1.15rem; }
.app .faint { display: block; }
.facts { margin: 0 0 1rem; padding: 0; } .facts dt { color: var(--faint); font-size: .9rem; } .facts dd { margin: 0 0 .6rem; }
ul { margin: 0 0 1rem; padding-left: 1.25rem; } li { margin: 0 0 .35rem; }
.shown { font: 1.6rem/1.4 ui-monospace, monospace; letter-spacing: .12em; text-align: center; border: 1px solid var(--line);
  border-radius: .5rem; padding: .5rem; }
`
