%% Workloads on one node.
-module(bench_local).
-export([run/2]).
-export([echo/0, ping_times/2, wait_forever/0]).
-export([hibernate/0, hibernated/0, start_child/1]).
-behaviour(supervisor).
-export([init/1]).

-import(bench, [metric/2, latency/2, now_ns/0, timed/1, ns_each/2, per_s/2, ms/1, wait/2]).

%% ---------------------------------------------------------------- spawn

run(["spawn"], #{n := N, batch := Batch}) ->
    spawn_batches(N div 10, Batch),
    metric("ns_per_process", ns_each(timed(fun() -> spawn_batches(N, Batch) end), N));

%% ---------------------------------------------------------------- idle

run(["idle"], #{n := N} = P) -> metric("ns_per_spawn", ns_each(idle(P, echo), N));
run(["idle", "hibernated"], P) -> idle(P, hibernate);

%% ---------------------------------------------------------------- pingpong, pairs

run(["pingpong"], #{n := N}) ->
    Echo = spawn(fun echo/0),
    Me = self(),
    spawn(fun() ->
        ping_times(Echo, N div 10),
        Ns = timed(fun() -> ping_times(Echo, N) end),
        metric("ns_per_round_trip", ns_each(Ns, N)),
        Me ! done
    end),
    wait(done, 1);

run(["pairs"], #{pairs := Pairs, each := Each}) ->
    pairs(Pairs, Each div 10),
    metric("round_trips_per_s", per_s(pairs(Pairs, Each), Pairs * Each));

%% ---------------------------------------------------------------- ring

run(["ring"], #{members := Members, hops := Hops}) ->
    Me = self(),
    [First | _] = Pids = [spawn(fun() -> ring_member(Me) end) || _ <- lists:seq(1, Members)],
    [Pid ! {next, Next} || {Pid, Next} <- lists:zip(Pids, tl(Pids) ++ [First])],
    Once = fun(N) -> First ! N, wait(done, 1) end,
    Once(Hops div 10),
    metric("ns_per_hop", ns_each(timed(fun() -> Once(Hops) end), Hops));

%% ---------------------------------------------------------------- fanin

run(["fanin"], #{senders := Senders, each := Each}) ->
    Me = self(),
    To = spawn(fun() -> take_items(Senders * Each), Me ! done end),
    Pids = [spawn(fun() -> wait(go, 1), send_items(To, Each) end) || _ <- lists:seq(1, Senders)],
    Ns = timed(fun() -> [Pid ! go || Pid <- Pids], wait(done, 1) end),
    metric("messages_per_s", per_s(Ns, Senders * Each));

%% ---------------------------------------------------------------- big

run(["big"], #{n := N, rounds := Rounds}) ->
    Me = self(),
    Member = fun() -> receive {members, Pids} -> big(Pids, N - 1, Rounds, Me) end end,
    Pids = [spawn(Member) || _ <- lists:seq(1, N)],
    Ns = timed(fun() -> [Pid ! {members, Pids} || Pid <- Pids], wait(done, N) end),
    metric("messages_per_s", per_s(Ns, 2 * Rounds * N * (N - 1)));

%% ---------------------------------------------------------------- selective

run(["selective"], #{n := N, queue := Queue}) ->
    Me = self(),
    Server = spawn(fun selective_serve/0),
    [begin
        spawn(fun() ->
            [self() ! {junk, I} || I <- lists:seq(1, Junk)],
            selective_calls(By, Server, N div 10),
            Ns = timed(fun() -> selective_calls(By, Server, N) end),
            metric(Name, ns_each(Ns, N) / 1000),
            Me ! done
        end),
        wait(done, 1)
     end
     || {Name, Junk, By} <-
            [{"us_empty", 0, ref}, {"us_by_ref", Queue, ref}, {"us_by_tag", Queue, tag}]];

%% ---------------------------------------------------------------- call

run(["call", _], #{clients := Clients, each := Each}) ->
    {ok, Server} = gen_server:start(bench_server, [], []),
    Me = self(),
    calls(Server, Each div 10),
    Client = fun() -> wait(go, 1), calls(Server, Each), Me ! done end,
    Pids = [spawn(Client) || _ <- lists:seq(1, Clients)],
    Ns = timed(fun() -> [Pid ! go || Pid <- Pids], wait(done, Clients) end),
    metric("calls_per_s", per_s(Ns, Clients * Each));

%% ---------------------------------------------------------------- timers

run(["timers", "start_cancel"], #{n := N}) ->
    Me = self(),
    T0 = now_ns(),
    Timers = [erlang:send_after(60000 + I rem 60000, Me, tick) || I <- lists:seq(1, N)],
    T1 = now_ns(),
    [erlang:cancel_timer(Timer) || Timer <- Timers],
    T2 = now_ns(),
    start_and_cancel(Me, N),
    T3 = now_ns(),
    metric("ns_per_start", ns_each(T1 - T0, N)),
    metric("ns_per_cancel", ns_each(T2 - T1, N)),
    metric("ns_per_start_and_cancel", ns_each(T3 - T2, N));

run(["timers", "fire"], #{n := N, lead_ms := Lead, over_ms := Over}) ->
    Base = erlang:monotonic_time(millisecond) + Lead,
    [begin
        Due = Base + I rem Over,
        erlang:send_after(Due, self(), {due, Due}, [{abs, true}])
     end
     || I <- lists:seq(1, N)],
    latency("late", lateness(N, []));

%% ---------------------------------------------------------------- links, monitors

run(["links"], #{n := N, settle_ms := Settle}) ->
    Me = self(),
    Parent = spawn(fun() ->
        Me ! {children, [spawn_link(fun wait_forever/0) || _ <- lists:seq(1, N)]},
        wait_forever()
    end),
    [erlang:monitor(process, Child) || Child <- receive {children, Children} -> Children end],
    timer:sleep(Settle),
    Ns = timed(fun() -> exit(Parent, kill), downs(N) end),
    metric("ms_until_all_died", ms(Ns));

run(["monitors"], #{n := N, settle_ms := Settle}) ->
    Me = self(),
    First = spawn(fun wait_forever/0),
    Set = timed(fun() -> [erlang:monitor(process, First) || _ <- lists:seq(1, N)] end),
    metric("ns_per_monitor", ns_each(Set, N)),
    timer:sleep(Settle),
    metric("ms_one_watcher", ms(timed(fun() -> exit(First, kill), downs(N) end))),
    Second = spawn(fun wait_forever/0),
    Watcher = fun() -> erlang:monitor(process, Second), Me ! up, downs(1), Me ! done end,
    [spawn(Watcher) || _ <- lists:seq(1, N)],
    wait(up, N),
    timer:sleep(Settle),
    metric("ms_many_watchers", ms(timed(fun() -> exit(Second, kill), wait(done, N) end)));

%% ---------------------------------------------------------------- supervisor

run(["supervisor", _], #{children := N}) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, self()),
    Start = fun() -> [supervisor:start_child(Supervisor, []) || _ <- lists:seq(1, N)] end,
    metric("start_child_per_s", per_s(timed(Start), N)),
    Children = ups(N),
    Restart = fun() -> [exit(Child, kill) || Child <- Children], ups(N) end,
    metric("restart_all_ms", ms(timed(Restart))),
    unlink(Supervisor);

%% ---------------------------------------------------------------- registry

run(["registry"], #{n := N}) ->
    Me = self(),
    Count = fun() -> wait(hi, N), Me ! done end,
    ByPid = spawn(Count),
    metric("ns_per_send_by_pid", ns_each(timed(fun() -> flood(ByPid, N) end), N)),
    wait(done, 1),
    register(target, spawn(Count)),
    metric("ns_per_send_by_name", ns_each(timed(fun() -> flood(target, N) end), N)),
    wait(done, 1),
    register(idle, spawn(fun wait_forever/0)),
    metric("ns_per_whereis", ns_each(timed(fun() -> look_up(N) end), N));

%% ---------------------------------------------------------------- fairness

%% The BEAM preempts every process, so hard and cooperative loops are the same.
run(["fairness", _], #{rounds := Rounds}) ->
    Echo = spawn(fun echo/0),
    ping_times(Echo, 100),
    [spawn(fun() -> spin(0) end) || _ <- lists:seq(1, erlang:system_info(schedulers))],
    Times = [fairness_round(Echo) || _ <- lists:seq(1, Rounds)],
    latency("round_trip", [RoundTrip || {_, RoundTrip} <- Times]),
    latency("sleep_late", [Late || {Late, _} <- Times]).

%% ================================================================ the processes

echo() -> receive {ping, From} -> From ! pong, echo() end.

ping_times(_, 0) -> ok;
ping_times(To, N) -> To ! {ping, self()}, receive pong -> ping_times(To, N - 1) end.

wait_forever() -> receive go -> ok end.

spawn_batches(N, Batch) ->
    Me = self(),
    [begin
        [spawn(fun() -> Me ! done end) || _ <- lists:seq(1, Batch)],
        wait(done, Batch)
     end
     || _ <- lists:seq(1, N div Batch)],
    ok.

%% Returns how long it takes to spawn the processes, and prints the other figures.
idle(#{n := N, settle_ms := Settle}, Function) ->
    garbage_collect(),
    Before = bench:rss(),
    T0 = now_ns(),
    Pids = [spawn(?MODULE, Function, []) || _ <- lists:seq(1, N)],
    Ns = now_ns() - T0,
    timer:sleep(Settle),
    garbage_collect(),
    metric("bytes_per_process", (bench:rss() - Before) / N),
    Me = self(),
    Woken = timed(fun() -> [Pid ! {ping, Me} || Pid <- Pids], wait(pong, N) end),
    metric("wake_all_ns_each", ns_each(Woken, N)),
    Ns.

hibernate() -> erlang:hibernate(?MODULE, hibernated, []).

hibernated() -> receive {ping, From} -> From ! pong, hibernate() end.

pairs(Pairs, Each) ->
    Me = self(),
    Asker = fun() ->
        Echo = spawn(fun echo/0),
        wait(go, 1),
        ping_times(Echo, Each),
        Me ! done
    end,
    Pids = [spawn(Asker) || _ <- lists:seq(1, Pairs)],
    timed(fun() -> [Pid ! go || Pid <- Pids], wait(done, Pairs) end).

ring_member(Home) -> receive {next, Next} -> ring_member(Home, Next) end.

ring_member(Home, Next) ->
    receive
        0 -> Home ! done;
        Left -> Next ! Left - 1
    end,
    ring_member(Home, Next).

send_items(_, 0) -> ok;
send_items(To, N) -> To ! {item, N}, send_items(To, N - 1).

take_items(0) -> ok;
take_items(N) -> receive {item, _} -> take_items(N - 1) end.

big(_, _, 0, Home) -> Home ! done, echo();
big(Pids, Others, Rounds, Home) ->
    Me = self(),
    [Pid ! {ping, Me} || Pid <- Pids, Pid =/= Me],
    big_answers(Others),
    big(Pids, Others, Rounds - 1, Home).

big_answers(0) -> ok;
big_answers(Open) ->
    receive
        {ping, From} -> From ! pong, big_answers(Open);
        pong -> big_answers(Open - 1)
    end.

selective_serve() ->
    receive
        {by_ref, From, Ref} -> From ! {Ref, ok};
        {by_tag, From} -> From ! {answer, ok}
    end,
    selective_serve().

selective_calls(_, _, 0) -> ok;
selective_calls(ref, Server, N) ->
    Ref = make_ref(),
    Server ! {by_ref, self(), Ref},
    receive {Ref, ok} -> ok end,
    selective_calls(ref, Server, N - 1);
selective_calls(tag, Server, N) ->
    Server ! {by_tag, self()},
    receive {answer, ok} -> ok end,
    selective_calls(tag, Server, N - 1).

calls(_, 0) -> ok;
calls(Server, N) -> ok = gen_server:call(Server, hi), calls(Server, N - 1).

start_and_cancel(_, 0) -> ok;
start_and_cancel(Me, N) ->
    erlang:cancel_timer(erlang:send_after(60000 + N rem 60000, Me, tick)),
    start_and_cancel(Me, N - 1).

lateness(0, Times) -> Times;
lateness(N, Times) ->
    receive
        {due, Due} -> lateness(N - 1, [max(0, now_ns() - Due * 1000000) | Times])
    end.

downs(0) -> ok;
downs(N) -> receive {'DOWN', _, _, _, _} -> downs(N - 1) end.

init(Home) ->
    Child = #{id => child, start => {?MODULE, start_child, [Home]}, shutdown => brutal_kill},
    {ok, {#{strategy => simple_one_for_one, intensity => 100000000, period => 1}, [Child]}}.

start_child(Home) -> {ok, spawn_link(fun() -> Home ! {up, self()}, wait_forever() end)}.

ups(0) -> [];
ups(N) -> receive {up, Pid} -> [Pid | ups(N - 1)] end.

flood(_, 0) -> ok;
flood(To, N) -> To ! hi, flood(To, N - 1).

look_up(0) -> ok;
look_up(N) -> whereis(idle), look_up(N - 1).

spin(N) -> spin(N + 1).

fairness_round(Echo) ->
    T0 = now_ns(),
    receive after 1 -> ok end,
    T1 = now_ns(),
    ping_times(Echo, 1),
    T2 = now_ns(),
    {max(0, T1 - T0 - 1000000), T2 - T1}.
