%% The BEAM's side of the workloads: runs a workload once, and prints its figures.
%%
%%     erl -noshell -run bench main local.pingpong n=1000000
%%
%% The crate fika-bench-kit describes the lines that it prints. Each workload does the same work as
%% fika's workload of that name. The module bench_local has the workloads on one node, bench_remote
%% those between nodes.
-module(bench).
-export([main/1]).
-export([metric/2, cannot_metric/2, latency/2, failed/1, hung/1]).
-export([now_ns/0, timed/1, ns_each/2, per_s/2, ms/1, wait/2, all/2]).
-export([rss/0, cpu_s/1, memory/3]).

main([Name | Words]) ->
    logger:set_primary_config(level, none),
    try
        run(string:lexemes(Name, "."), params(Words))
    catch
        Class:Reason:Stack ->
            failed(io_lib:format("~0p:~0p at ~0p", [Class, Reason, hd(Stack)]))
    end,
    halt(0).

run(["local" | Workload], P) -> bench_local:run(Workload, P);
run(["remote" | Workload], P) -> bench_remote:run(Workload, P).

params(Words) ->
    maps:from_list([param(string:split(Word, "=")) || Word <- Words]).

param([Name, Number]) -> {list_to_atom(Name), list_to_integer(Number)}.

%% ---------------------------------------------------------------- output

metric(Name, Value) ->
    io:format("{\"metric\":\"~s\",\"value\":~s}~n", [Name, number(Value)]).

cannot_metric(Name, Why) ->
    io:format("{\"metric\":\"~s\",\"cannot\":\"~s\"}~n", [Name, Why]).

latency(Name, Ns) ->
    Times = lists:join(",", [integer_to_list(N) || N <- Ns]),
    io:format("{\"latency\":\"~s\",\"ns\":[~s]}~n", [Name, Times]).

failed(Why) -> io:format("{\"failed\":\"~s\"}~n", [plain(Why)]).

hung(Why) -> io:format("{\"hung\":\"~s\"}~n", [plain(Why)]).

plain(Text) -> [C || C <- lists:flatten(Text), C =/= $", C =/= $\\, C >= 32].

number(Value) when is_integer(Value) -> integer_to_list(Value);
number(Value) -> float_to_list(Value, [{decimals, 6}, compact]).

%% ---------------------------------------------------------------- time

now_ns() -> erlang:monotonic_time(nanosecond).

%% Returns how many nanoseconds a call takes.
timed(F) ->
    T0 = now_ns(),
    F(),
    now_ns() - T0.

ns_each(Ns, N) -> Ns / N.
per_s(Ns, N) -> N * 1.0e9 / Ns.
ms(Ns) -> Ns / 1.0e6.

%% Waits for this message N times.
wait(_, 0) -> ok;
wait(Message, N) -> receive Message -> wait(Message, N - 1) end.

%% Waits for one message for each key, and returns the values.
all(Tag, Keys) -> [receive {Tag, Key, Value} -> {Key, Value} end || Key <- Keys].

%% ---------------------------------------------------------------- kernel statistics

rss() -> memory("self", "status", "VmRSS") * 1024.

%% Returns a size in KiB.
memory(Pid, File, Field) ->
    {ok, Text} = file:read_file("/proc/" ++ Pid ++ "/" ++ File),
    {match, [KiB]} = re:run(Text, "\n" ++ Field ++ ":\\s+(\\d+)", [{capture, [1], list}]),
    list_to_integer(KiB).

%% Returns the CPU time that these OS processes have used. The kernel counts in hundredths of a
%% second.
cpu_s(Pids) -> lists:sum([cpu_s_of(Pid) || Pid <- Pids]).

cpu_s_of(Pid) ->
    {ok, Text} = file:read_file("/proc/" ++ Pid ++ "/stat"),
    Fields = string:lexemes(lists:last(string:split(binary_to_list(Text), ") ", all)), " "),
    (list_to_integer(lists:nth(12, Fields)) + list_to_integer(lists:nth(13, Fields))) / 100.
