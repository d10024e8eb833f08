%% The gen_server that the workload calls.
-module(bench_server).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).

init([]) -> {ok, 0}.

handle_call(hi, _From, N) -> {reply, ok, N + 1}.

handle_cast(_, N) -> {noreply, N}.
