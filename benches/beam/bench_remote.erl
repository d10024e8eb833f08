%% Workloads between nodes. fika-bench starts the other nodes.
-module(bench_remote).
-export([run/2]).
-export([sink/1, say/1, watch_mesh/2]).

-import(bench, [metric/2, latency/2, now_ns/0, timed/1, per_s/2, ms/1, wait/2]).
-import(bench_local, [ping_times/2]).

-define(B, 'b@127.0.0.1').

run(["mesh"], P) -> mesh(P);
run(Workload, P) ->
    connect(?B),
    ping_times(spawn(?B, bench_local, echo, []), 500),
    workload(Workload, P).

%% ---------------------------------------------------------------- pingpong, pairs

workload(["pingpong"], #{n := N}) ->
    Me = self(),
    Echo = spawn(?B, bench_local, echo, []),
    spawn_link(fun() ->
        ping_times(Echo, 1000),
        latency("round_trip", round_trips(Echo, N)),
        Me ! done
    end),
    wait(done, 1);

workload(["pairs"], #{pairs := Pairs, each := Each}) ->
    Me = self(),
    Asker = fun() ->
        Echo = spawn(?B, bench_local, echo, []),
        ping_times(Echo, 10),
        Me ! done,
        wait(go, 1),
        ping_times(Echo, Each),
        Me ! done
    end,
    Askers = [spawn_link(Asker) || _ <- lists:seq(1, Pairs)],
    wait(done, Pairs),
    {Ns, Cpu} = measured(fun() -> [Pid ! go || Pid <- Askers], wait(done, Pairs) end),
    metric("round_trips_per_s", per_s(Ns, Pairs * Each)),
    metric("cpu_us_per_round_trip", Cpu * 1.0e6 / (Pairs * Each));

%% ---------------------------------------------------------------- oneway, bulk

workload([Kind, _], #{senders := Senders, each := Each, size := Size} = P)
        when Kind =:= "oneway"; Kind =:= "bulk" ->
    #{window := Window, ack_every := AckEvery} = P,
    Me = self(),
    Data = binary:copy(<<7>>, Size),
    Feeder = fun() ->
        Sink = spawn(?B, ?MODULE, sink, [AckEvery]),
        Me ! up,
        wait(go, 1),
        feed(Sink, Data, Each, Window, AckEvery, Each div AckEvery),
        Me ! done
    end,
    Feeders = [spawn_link(Feeder) || _ <- lists:seq(1, Senders)],
    wait(up, Senders),
    {Ns, Cpu} = measured(fun() -> [Pid ! go || Pid <- Feeders], wait(done, Senders) end),
    N = Senders * Each,
    metric("messages_per_s", per_s(Ns, N)),
    metric("mb_per_s", per_s(Ns, N * Size) / 1.0e6),
    metric("cpu_us_per_message", Cpu * 1.0e6 / N);

%% ---------------------------------------------------------------- rpc

workload(["rpc", _], #{callers := Callers, each := Each}) ->
    Me = self(),
    calls(Each div 10),
    Pids = [spawn_link(fun() -> wait(go, 1), calls(Each), Me ! done end)
            || _ <- lists:seq(1, Callers)],
    Ns = timed(fun() -> [Pid ! go || Pid <- Pids], wait(done, Callers) end),
    metric("calls_per_s", per_s(Ns, Callers * Each));

%% ---------------------------------------------------------------- spawn

workload(["spawn", "in_flight"], #{n := N, batch := Batch}) ->
    Batches = lists:seq(1, N div Batch),
    Ns = timed(fun() -> [spawn_batch(Batch) || _ <- Batches] end),
    metric("spawns_per_s", per_s(Ns, N));

workload(["spawn", "one_by_one"], #{n := N}) ->
    Ns = timed(fun() -> spawn_one_by_one(N) end),
    metric("spawns_per_s", per_s(Ns, N));

%% ---------------------------------------------------------------- headofline

workload(["headofline"], #{size := Size, ms := Ms, settle_ms := Settle}) ->
    Data = binary:copy(<<7>>, Size),
    Echo = spawn(?B, bench_local, echo, []),
    ping_times(Echo, 500),
    Sink = spawn(?B, ?MODULE, sink, [1]),
    Moved = counters:new(1, []),
    spawn_link(fun() -> Sink ! {data, self(), Data}, feed_forever(Sink, Data, Moved) end),
    timer:sleep(Settle),
    Before = counters:get(Moved, 1),
    T0 = now_ns(),
    Times = round_trips_until(Echo, T0 + Ms * 1000000, []),
    Ns = now_ns() - T0,
    Bytes = counters:get(Moved, 1) - Before,
    latency("round_trip", Times),
    metric("bulk_mb_per_s", per_s(Ns, Bytes) / 1.0e6);

%% ---------------------------------------------------------------- nodedown

workload(["nodedown", How], #{settle_ms := Settle, wait_s := Wait}) ->
    Signal = case How of "kill" -> "-9"; "stop" -> "-STOP" end,
    %% Uses a shell that already runs, and its built-in `kill`, so that no program has to be
    %% started.
    Shell = open_port({spawn, "sh"}, []),
    Pid = os_pid(?B),
    net_kernel:monitor_nodes(true),
    timer:sleep(Settle),
    T0 = now_ns(),
    port_command(Shell, ["kill ", Signal, " ", Pid, "\n"]),
    receive
        {nodedown, ?B} -> metric("ms_until_nodedown", ms(now_ns() - T0))
    after Wait * 1000 -> bench:hung(io_lib:format("not noticed within ~b s", [Wait]))
    end.

%% ================================================================ the processes

connect(Node) ->
    case net_adm:ping(Node) of
        pong -> ok;
        pang -> timer:sleep(10), connect(Node)
    end.

os_pid(Node) -> rpc:call(Node, os, getpid, []).

%% Returns wall time, and CPU time of both nodes.
measured(F) ->
    Pids = [os:getpid(), os_pid(?B)],
    Before = bench:cpu_s(Pids),
    Ns = timed(F),
    {Ns, bench:cpu_s(Pids) - Before}.

round_trips(_, 0) -> [];
round_trips(Echo, N) ->
    Ns = timed(fun() -> ping_times(Echo, 1) end),
    [Ns | round_trips(Echo, N - 1)].

round_trips_until(Echo, End, Times) ->
    case now_ns() >= End of
        true -> Times;
        false ->
            Ns = timed(fun() -> ping_times(Echo, 1) end),
            timer:sleep(1),
            round_trips_until(Echo, End, [Ns | Times])
    end.

%% Acknowledges every AckEvery messages.
sink(AckEvery) -> sink(AckEvery, AckEvery).

sink(AckEvery, 1) -> receive {data, From, _} -> From ! ack, sink(AckEvery, AckEvery) end;
sink(AckEvery, Left) -> receive {data, _, _} -> sink(AckEvery, Left - 1) end.

%% N and the window are multiples of AckEvery.
feed(_, _, 0, _, _, Acks) -> wait(ack, Acks);
feed(Sink, Data, N, 0, AckEvery, Acks) ->
    receive ack -> feed(Sink, Data, N, AckEvery, AckEvery, Acks - 1) end;
feed(Sink, Data, N, Credit, AckEvery, Acks) ->
    Sink ! {data, self(), Data},
    feed(Sink, Data, N - 1, Credit - 1, AckEvery, Acks).

feed_forever(Sink, Data, Moved) ->
    Sink ! {data, self(), Data},
    receive ack -> counters:add(Moved, 1, byte_size(Data)) end,
    feed_forever(Sink, Data, Moved).

calls(0) -> ok;
calls(N) -> 1 = rpc:call(?B, erlang, abs, [-1]), calls(N - 1).

say(To) -> To ! done.

spawn_batch(Batch) ->
    [erlang:spawn_request(?B, ?MODULE, say, [self()], [{reply, no}]) || _ <- lists:seq(1, Batch)],
    wait(done, Batch).

spawn_one_by_one(0) -> ok;
spawn_one_by_one(N) ->
    spawn(?B, ?MODULE, say, [self()]),
    wait(done, 1),
    spawn_one_by_one(N - 1).

%% ---------------------------------------------------------------- mesh

%% This node is hidden, so it does not count.
mesh(#{nodes := N, wait_s := Wait, settle_ms := Settle}) ->
    Nodes = [list_to_atom("n" ++ integer_to_list(I) ++ "@127.0.0.1") || I <- lists:seq(0, N - 1)],
    [connect(Node) || Node <- Nodes],
    Me = self(),
    Watchers = [spawn(Node, ?MODULE, watch_mesh, [Me, N - 1]) || Node <- Nodes],
    bench:all(ready, Watchers),
    T0 = now_ns(),
    [Watcher ! {join, hd(Nodes)} || Watcher <- tl(Watchers)],
    case mesh_wait(Nodes, 0, Wait * 1000) of
        {full, Disconnects} ->
            metric("ms_to_full_mesh", ms(now_ns() - T0)),
            metric("disconnects", Disconnects),
            timer:sleep(Settle),
            Pids = [os_pid(Node) || Node <- Nodes],
            metric("rss_mib_per_node", mean_mib(Pids, "status", "VmRSS")),
            metric("pss_mib_per_node", mean_mib(Pids, "smaps_rollup", "Pss"));
        {part, Missing} ->
            bench:failed(io_lib:format("~b of ~b nodes did not see all in time", [Missing, N]))
    end.

mean_mib(Pids, File, Field) ->
    lists:sum([bench:memory(Pid, File, Field) || Pid <- Pids]) / length(Pids) / 1024.

mesh_wait([], Disconnects, _) -> {full, Disconnects};
mesh_wait(Missing, Disconnects, Wait) ->
    receive
        {full, Node, Lost} -> mesh_wait(lists:delete(Node, Missing), Disconnects + Lost, Wait)
    after Wait -> {part, length(Missing)}
    end.

%% Watches how its node becomes part of the mesh, and reports to Home.
watch_mesh(Home, Others) ->
    net_kernel:monitor_nodes(true),
    Home ! {ready, self(), ok},
    watch_mesh(Home, Others, 0).

watch_mesh(Home, Others, Disconnects) ->
    case length(nodes()) of
        Others -> Home ! {full, node(), Disconnects};
        _ -> ok
    end,
    receive
        {nodeup, _} -> watch_mesh(Home, Others, Disconnects);
        {nodedown, _} -> watch_mesh(Home, Others, Disconnects + 1);
        {join, Node} ->
            spawn(fun() -> net_kernel:connect_node(Node) end),
            watch_mesh(Home, Others, Disconnects)
    end.
