/** The page: a token, a connection, three parts. */
import { render } from 'preact';
import { useEffect, useReducer, useState } from 'preact/hooks';
import type { FeedMessage } from '../rows.js';
import { connect } from './connection.js';
import { Events, Login, Nodes, Pods } from './parts.js';
import { emptyState, type PageState, reduce } from './store.js';
import './style.css';

type Happening =
  | { readonly message: FeedMessage }
  | { readonly connection: PageState['connection']; readonly reason: string };

function step(state: PageState, happening: Happening): PageState {
  return 'message' in happening ? reduce(state, happening.message, Date.now() / 1000) : { ...state, ...happening };
}

// the tab's own storage: gone with it, and never sent by the browser on its own
const tokenKey = 'keelson.token';

function App() {
  const [token, setToken] = useState(sessionStorage.getItem(tokenKey) ?? '');
  const [state, dispatch] = useReducer(step, emptyState);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    if (!token) return;
    return connect(token, {
      onMessage: message => {
        if (message.t === 'hello') sessionStorage.setItem(tokenKey, token);
        dispatch({ message });
      },
      onLost: reason => dispatch({ connection: 'lost', reason }),
      onRefused: reason => {
        sessionStorage.removeItem(tokenKey);
        setToken('');
        dispatch({ connection: 'refused', reason });
      },
    });
  }, [token]);
  if (!token) return <Login reason={state.connection === 'refused' ? state.reason : ''} onToken={setToken} />;
  return (
    <>
      <header class="top">
        <h1>Keelson</h1>
        <span class="quiet">{state.cluster}</span>
        <span class={`state ${state.connection}`} role="status">
          {state.connection === 'live'
            ? 'live'
            : state.connection === 'lost'
              ? `connection lost: ${state.reason}`
              : 'connecting …'}
        </span>
      </header>
      <main>
        <Nodes state={state} now={now} />
        <Pods state={state} now={now} />
        <Events state={state} now={now} />
      </main>
    </>
  );
}

const root = document.getElementById('app');
if (root) render(<App />, root);
