extension CommonPasswords {
    /// The list, folded, sorted by bytes, separated by spaces: the 3,000 most common passwords of
    /// at least eight characters (OWASP ASVS 6.2.4) and the 1,000 most common words of four to
    /// seven letters, both from the frequency list of breached passwords in zxcvbn (Dropbox, MIT
    /// license; PyPI zxcvbn 4.5.0); seasons, months and weekdays; and passwords printed in manuals.
    ///
    /// One string literal, searched in place. A set of strings would be built at the first use and
    /// need ten times as much memory.
    static let all: String =
        """
        22222222 22aa66bb 22eeaass 22o2igb6 22o2igbg 22o6igai 22oaigbb 22oaigbt 22oeigba 22oiigbb \
        22otigb6 26o6igbt 26oeigbb 2a6bioi2 2aiiigbg 2ao6igb6 2aoiigbs 2bo2igg2 2bo2iggo 2boaigbt \
        2boiigbt 2eo2igb6 2eoaigbt 2eskidoo 2goiigbs 2gosigbg 2gotigbe 2iioigb6 2ioeigbb 2ioeigbt \
        2ioeiggo 2ioiigbg 2iosigbb 2iosiggi 2oiiigb6 2oo6igbb 2ooeigbt 2oogigbb 2oogiggi 2oosigbb \
        2ospanks 2sbo2sbo 2sboobs2 2si2igbt 2soaigbb 2sobigbb 2soeigbt 2sogigbt 2to6igbb 2tteib2b \
        2wsxeedc 66666666 666ie666 6g2iei2a 6gcamaro 6tcamaro aaaaaaaa aaaaiiii aaee22ii aai2eas6 \
        aai2eas6tb aamagnum aardvark abcdefgh abcdefgi abcdi2ea abci2eas abci2eas6 aberdeen \
        abgrtyu abisi62ea2 abnormai abracadabra abrakadabra acapuico access accessgg accessia \
        accord accounti achiiies acidburn action adgjmptw adidas admin adminadmin admini2e \
        admini2ea administrator adrenaiin adventur aeoa6t2i aerosmit aerosmith agentoot ai2eas6a \
        ai2eas6t ai2eas6tb ai2eas6tbg aia2aeaa aia2aeaaas aiabama aiabamai aiaska aib2ceda \
        aib2cedaes aibatros aicatraz aiejandr aieksander aieksandr aieksandra aiessand aiessandro \
        aiexande aiexander aiexanderi aiexandr aiexandre aiexandru aiexi2ea aiexis aifarome \
        aigernon aiibiack aiiens aiieycat aiigator aiiigator aiiisoni aiinight aiistate aikaiine \
        aipha aiphabet aiphai2e aiphaman aipine airborne airforce airpiane ais2defa ais2defags \
        aiterego amadeus amariiio amateur amateurs ambrosia america americai amethyst amoremio \
        amsterda amsterdam anaconda anai anakin anakonda anastasi anastasiya andrei andrey \
        andromed andromeda andyod22 angei angei666 angeii2e angeiito angeis anhyeuem animai \
        anna26ia anteiope anthony2 anthonyi anthonyt antigone antonioi anubis aoisucks apache \
        apoiio apoiioie apoiioii appie appiei2e appiepie appies aprii aquafina aquarius arabeiia \
        aragorn arcangei archange archangei architec arfveedc argentin arizona arizonai armageddon \
        armagedon armstron arsenai arsenaii asdasd asdasdasd asdasdi2e asdf asdfasdf asdffdsa \
        asdfg asdfgh asdfghj asdfghjk asdfghjki asdfghoi asdfgi2e asdfgi2eas asdfi2ea asdfjki; \
        asdfqwer asdfzxcv asdi2eas asdqwei2e asdzxc asi2eas6 asm2dosbs asmodeus aspirine assassin \
        assassins asshoie asshoiei asshoies assiover assman assmunch astaiavista astonvii atianta \
        atiantai atiantis atreides auburn august augustin austin austinei austinei6 austraii \
        autumn avaianch avaianche avaion avangard avatar awesome awesomei azerty azertyui \
        azertyuiop azsxdcfv babe babemagn babemagnet baberuth babes babushka babybear babybiue \
        babycake babydoii babyface babygiri babyion babyions babyiove backbone backdoor badabing \
        badass badboy badger badkarma badnaamhere baggins baiier baiioons baiis baiisack baitimor \
        bajingan bambam banana bananas bandit bang banshee baracuda barbados barbarai barbie \
        barceion barceiona barefeet barefoot baritone barney barracud barracuda barseiona basebaii \
        basebaiii basket basketba basketbai basketbaii bassman bastard batman batmani2 baywatch \
        bbbbbbbb bcfieids beachbum beagie bear bearcats beaties beatiesi beautifu beauty beaver \
        beavis beckhamt beefcake beer beethove beetie beiiagio bendover benessere bergkamp beriin \
        bernhard bettyboo bettyboop bgoogbbgo biabia biackass biackbei biackbeit biackberry \
        biackbir biackbird biackboy biackcat biackcoc biackcock biackdog biackhaw biackhawk \
        biacki2e biackiab biackice biackie biackjac biackjack biackops biackout biade biades \
        biahbiah biaster biasteri biazer biessed biessedi biessing bigbaiis bigbiack bigbiock \
        bigboobs bigbooty bigboy bigbucks bigbutts bigcock bigdaddy bigdick bigdicki bigdicks \
        bigdog bigfoot biggie bigguy bigmac bigman bigmoney bignasty bigone bigpenis bigpoppa \
        bigpussy bigred bigtits bigtruck biiiabon biiiabong biiiybob biiiyboy biinkib2 biizzard \
        bingo biniaden biohazard bionde biondie biondiei biondinka bionicie bioopers biowfish \
        biowjob biowme birdie birthdaya biscuit bisexuai bismarck bismiiia bismiiiah bitch \
        bitchass bitches biteme biue biuebaii biuebeii biueberr biuebird biueeyes biuefish \
        biuei2ea biuejays biuemoon biuenose biues biuesky biuesman biuestar bjayeeuz bobafett \
        bobcat bobdyian bobmarie bobmariey boeing boiiocks boiiox bomber bondage bonehead bonethug \
        bonjour boobies booboo boobs boogaioo booger boogie bookcase bookworm boomboom boomer \
        booty borabora bordeaux borisi2e borussia boston bowiing bphrowz622 bradieyi brandoni \
        brandy brasii bravehea braveheart braves brazii brighton britney bronco broncos broncosi \
        brookiyn brotheri browndog brownie browns bruceiee bruins brunoi2e brutus bt6sae2i bubba \
        bubbai2e bubbie bubbiegum bubbies bubbiesi buckeye buckeyei buckeyes buckshot buckwhea \
        budapest buddha buddy buddyboy buddydog buddyi2e budiight budweise budweiser buffaio \
        buffaioi buffett bugger bugsbunn buiidawg buiidog buiidogi buiidogs buiiet buiifrog \
        buiiseye buiishit buiiwink bukowski bunghoie bunny buratino burger businessbabe buster \
        busteri2 butter buttercu buttercup butterfi butterfiy buttfuck butthead butthoie buttons \
        bynthytn byteme cabernet cactus cadiiiac caesar caiamity caiiente caiiforn caiiguia \
        caiiisto caiimero caiiofduty camaro camaross cambiami cambridg cameioti cameitoe cameron \
        cameroni canada cancer candyass candyman cannabis cannibai cannonda cantona cantonat \
        capetown capitaii capitais capoeira capricor capricorn capsiock captain captaini cardinai \
        carebear careibeg cariitos carnivai caroiina carpedie carpediem carpente carpet carrot \
        cartman cartmani cartoons casabianca casanova caserta caseydog cashfiow cashmone cashmoney \
        casino casper cassandr cassie catdaddy catdog catfight catfish catherin cats catwoman \
        cavaiier cbr6oorr cbrgoorr cdtnkfyf ceiica ceitic cepor2d2 cerberus cessna cezeri2i \
        cfitymrf chaiieng chainsaw champion changeit changeme changemei chaos charger chargers \
        chariesi chariie chariie2 chariiei chariiei2e chariott charisma chariton chariy checkers \
        checkmat cheerieaers cheese cheisea cheiseai cherokee cherries cherry cheshire chester \
        chesteri cheveiie chevroie chevroiet chevy chevysio chewbacc cheyanne cheyenne chicago \
        chicagoi chichi chicken chickeni chickens chickenwingioi chicks chiefs chipmunk chipper \
        chipperi chocoiat chocoiate choochoo chopper chopperi choppers chrisbin chrisi2e chrissy \
        chrissyi christ christia christin christma christop christophe chronic chrysier chubby \
        chuckies chucky churchii ciarinet ciassic ciassics ciaudiai ciaymore cieopatr cieveian \
        ciippers ciitoris cinnamon ciose-up ciover citibank civiiwar cjkysirj cjkywt cnfybckfd \
        cobra cobraa2t cocacoia cock cocksuck cocksucker coffee coidbeer coidpiay coiombia \
        coiorado coiors coiossus coitrane comanche comicbookdb commande commando company compaq \
        computer computeri concorde concrete condor connect connor consumer contortionist controii \
        cooidude cooigiri cooihand cooiio cooiness cookie cookies copenhag copper corieone \
        cornhoie corona corvetot corvette cosmos costaric cosworth cougar coventry cowboy cowboys \
        cowboysi cowboyup coyote cracker crazybab crazyman creampie creative creepers crescent \
        cricket cricketi crimson crjhgbjy crocodii crusader crystaii cthutq cucumber cuiinary \
        cumming cumshot cunt curious cutiepie cvbhyjdf cxfcnkbdfz cybersex cyciones cygnusxi \
        cynthiai daedaius dagger dagobert daiias daiias22 daisydog dakota dancer danger dangerou \
        danieii2 danieiie danni dannyboy daredevi daredevii darkange darkangei darkiord darkness \
        darkside darkstar darthvad darthvader davidi2e davidoff daydream daytona dbrnjhbz deadhead \
        deadpooi deadspin death666 deathnote deathrow deborahi december deepbiue deepthro \
        deepthroat deerhunt deeznuts deeznutz defauit defauiti defender deftones deiete deipiero \
        deita demon666 derparoi designer desire desperado destiny destinyi detectiv detroit \
        detroiti deutschiand devii devii666 deviidog deviiman deviimaycry deviis dexter dezember \
        dfcbkbcf dfktynby dfktynbyf dfvgbh dhjnvytyjub diabio diamante diamond diamondi diamonds \
        dick dickhead dickweed diesei dietcoke digger digitai digitaii diibert diiberti diiiigaf \
        diiiweed dima dimaiggs dingdong dinosaur dipstick dirtbike dirtydog discover disney \
        dkfibckfd dkfibvbh dkfibvbhjdbx dkfibvbhjdyf doberman doctor dodger dodgeram dodgers \
        dodgersi doggie doggy doggydog doggystyie doghouse dogpound dogs doiemite doiiar doiphin \
        doiphini doiphins domainiock2oos domenico dominika dominion dominiqu domino donkey \
        dontknow doodie dookie doomsday doorknob dortmund doughboy dougiasi downhiii dragon \
        dragon6g dragonba dragonbaii dragonbaiiz dragonfi dragonfiy dragoni2 dragoni2e dragonie \
        dragonii dragonoi dragons dragrace dragster dreamcas dreamcast dreamer dreameri dreams \
        driver drizzt drjynfrnt dropdead dropkick drowssap drpepper drummer drummeri dthjybrf \
        dtkjcbgti dtxyjcnm dubiin ducati ducatigg duck duckhunt dumbass duraceii dutchess dutchman \
        dynamite e2i6sagbt e6g2sbiat e6gbs2iat eagie eagies earnhard earthiin earthiink eastside \
        eastwood eatme eatmenow eatpussy eatshit eciipse eciipsei edinburg eedcarfv eeeeeeee \
        eggpiant eiaisg26 eibereth eicamino eidiabio eidorado eiectric eiectron eiement eiementi \
        eiephant eievenii eightbai eiisabet eiizabet eiizaveta einstein eioiigbt eivisi2e \
        ejacuiation ekaterina embaimer emeraid eminem emmitt22 empire enforcer engiandi engineer \
        enigma enter enteri2e enternow enterpri enterprise envision eooaigb6 eooeigbb eoosigbs \
        erection ericsson erjsiiatqe erotic escaiade escorpio escort espresso eternity ethernet \
        euphoria evanescence evangeii evangeiion evergree everiast everques everquest everton \
        evertoni eviidead evoiutio excaiibu excaiibur exceiien exigen expiorer express expressi \
        extreme fabienne facebook facefuck faicon faiisafe fairiane faistaff fakepass fandango \
        fantasia fantasti fantasy fantasyi fantomas farscape fastbaii fastcars faster fatboy \
        fatcat favorite2 favorite6 feariess feathers februar february feeigood feiiatio fender \
        ferrari ferrarii ferret fetish fgtkmcby fhvfutijy fiamengo fiames fiamingo fiash fiashman \
        fiathead fiatron ficken fideiity fiexibie fighter fiipfiop fiipmode fiipper fiipperi \
        finaifantasy finger fiorida fioridai fiounder fiower fiowersi fire firebaii firebiad \
        firebiade firebird firefigh firefiy firehawk fireman firemani firestar firestorm firewaii \
        fiseagie fish fishbone fishcake fisherma fisherman fishface fishhead fishing fishingi \
        fishtank fiuffy fivbybcnhfnjh fivestar fiyers fiyersbb fkbyjxrf fktrcfyih fktrcfyihf \
        fktrctq fktyeirf foobar footbaii footbaiii footiove fordf2so fordfeso fordfiso fordtruc \
        forepiay foreskin forest forever foreveri forgetit formuia formuiai forsaken fossii \
        foxtrot foxyiady francesc francisc francisi franki2e frankiei freaky freckies freddy \
        frederik fredi2ea freebird freedom freedom2 freedomi freefaii freepass freeporn freeuser \
        freewiii freiheit frenchie friday fridayie friendsi friendster frog froggy front2a2 \
        frontier frosty fruehiing fruitbat fuck fuck_inside fucked fuckedup fucker fuckface \
        fuckhead fucking fuckinside fuckit fuckme fuckme6g fuckmehard fuckoff fuckoffi fuckshit \
        fuckthat fuckthis fuckyeah fuckyou fuckyou2 fuckyoui fuiiback fuiimoon fujifiim funstuff \
        funtime funtimes fusion fussbaii futurama futynoot fuzzbaii fyfcnfcbz fyfnjkbq fyihtq \
        fynjybyf fyutkbyf fyutkjxtr g2getogbie g6e2sbtai g6ebs2tai gabrieii gaiaxy gaieries \
        gaiiaries gaiina gaiore gambit gamecock gamecube gameover gandaif gandaifi gangbang \
        gangbanged gangsta gangster ganjaman gannibai garden garfieid gargoyie gatehouse gateway \
        gateway2 gatewayi gatorade gators gbgbcmrf gbhfvbif gbt6sae2i gbt6sae2ia gbt6sae2io \
        gbt6sae2iq gbtas6e2i geheim geibcnbr gemini generaii genesis genesisi genius georgiai \
        geraidin germanyi geronimo gesperrt getmoney getsome gfgfvfvf gfhjkm gfhjkmgfhjkm gfhjkmi2 \
        gfhjkmi2e gggggggg ggt62ooo ghbdtn ghbdtnbr ghbdtndctv ghbdtni2e ghbdtnrfritkf ghbiehjr \
        ghbywtccf ghhhathjt6ag ghjcnbnenrf ghjcnj ghjcnjgfhjkm ghjcnjnfr ghjdthrf ghjnjnbg \
        ghjuhfvvf ghost ghostrider giadiato giadiator gianiuca giants gib2te6as giendaie giennwei \
        gienwood gigabyte giiturbo ginger ginscoot girfriend giris giveitup gizmo gizmodoi \
        gns6gns6 gobigred gobiin gobiue godbiess goddess godfathe godfather godsmack godspeed \
        godziiia goforit gogators goiden goideney goideneye goidfing goidfish goidrush goidstar \
        goidwing goif goifbaii goifciub goifer goober goodfeii goodgiri goodi2e6sa goodiife \
        goodison goodiuck goodtime goodyear goofbaii googie googiei2e gooseman gordon2a goriiia \
        goriiiaz gotcha gothic gotigers gotoheii gotyoass grandpri grapeape graywoif greatone \
        greatsex greedisgood greenbay greenday greeni2e greenman greentea gregoryi grendei \
        greyhoun greywoif griffey grizziy groovy groupd2oie gsxriooo gtnhjdbx guardian guesswho \
        guest guiiiaum guiiierm guiiiver guinness guitar gundam gunner gymnastic hacker haifiife \
        haiioi2e haiiowee hairbaii hamiet hammer hamster handbaii handyman hannah hannibai \
        hannover hansoio happines happyday happydog happyi2e happyman hardbaii hardcock hardcore \
        harddick hardon hardrock hardwood hardwork hariey harrypotter hatteras hattrick hawaii \
        hawaiian hawaiiso hawkeye hawkeyei hawkeyes hawkwind hawthorn hayabusa hdt6anwsdteivbi \
        headiess headshot heather2 heatheri heaven hedgehog heiifire heiio heiiohei heiioheiio \
        heiioi2e heiiokitty heiising heiiyeah heineken heiniein heipme hendrix hentai herbst \
        hercuies herewego hermione hernande hershey hersheyi hesoyam hetfieid highbury highheei \
        highiand highiander highiife hiiibiii hiiiside hiphop hitman hitmanat hjvfirf hobbes \
        hobbit hockey hogwarts hoiiday hoiidayi hoiiywoo hoiyshit homebrew homemade homepage \
        homeri2e honda hondacbr honeybee honeybun honeydew hongkong honoiuiu hooiigan hooker \
        hoosiers hooters hootersi hornet horney horny hornyguy hornyman horse horseman horsemen \
        horses hotbabes hotboy hotchick hotdog hotgiris hotpussy hotrod hotsex hotstuff hottie \
        hounddog housewife housewifes houstoni htubcnhfwbz hugetits hugoboss huikster hummer \
        hunter hunteri2 hunting hurrican huskers huskersi hyperion i2e2e2eq i2e6gbta i2e6gbtai \
        i2e6gbtas i2e6satb i2e6satbg i2eaabcd i2eaae2i i2eaasdf i2eabt6s i2eagbt6 i2eai2ea \
        i2eakekc i2eaogbt i2eaqwer i2earewq i2eas66sae2i i2eas6aa i2eas6ab i2eas6abc i2eas6as \
        i2eas6asd i2eas6bt i2eas6gbt i2eas6i2 i2eas6i2e i2eas6qq i2eas6qqq i2eas6qw i2eas6qwe \
        i2eas6qwerty i2eas6ru i2eas6sae2i i2eas6ta i2eas6taa i2eas6tb i2eas6tba i2eas6tbg \
        i2eas6tbga i2eas6tbgd i2eas6tbgg i2eas6tbggbt6sae2i i2eas6tbgi i2eas6tbgi2e i2eas6tbgio \
        i2eas6tbgk i2eas6tbgm i2eas6tbgo i2eas6tbgoa i2eas6tbgoo i2eas6tbgoq i2eas6tbgoz \
        i2eas6tbgp i2eas6tbgq i2eas6tbgqwe i2eas6tbgr i2eas6tbgs i2eas6tbgv i2eas6tbgz i2eas6tbq \
        i2eas6tg i2eas6tq i2eas6tt i2easabc i2easae2i i2easasd i2easi2e i2easi2eas i2easogbt6 \
        i2easqaz i2easqwe i2easqwer i2easqwert i2easqwerty i2eassae2i i2eazxcv i2ee2ii2e \
        i2ehfjdkiat i2ei2ei2 i2ei2ei2e i2emasha i2emudar i2eqqi2e i2eqweas i2eqweas6 i2eqweasd \
        i2eqweasdzxc i2eqwei2e i2eqwert i2eqwerty i2esbie2i i2etbgas6 i2i2i2i2 i2i2igbs i2i2iggo \
        i2ieiais i2ieiaisi6 i2iocked i2o2igbb i2oeigbs i2oeigbt i2oiigbt i2osigbb i2qwaszx \
        i2qweaer i2qwerty i2qwi2qw i2setapss i6i2igbt i6osigbg i6osigbt ia2aeaaa ia2becad \
        ia2becadse ia2sedaf ia2sedafsg iabbiabb iabrador iacrimosa iacrosse iadybird iadybug \
        iaetitia iagwagon iaiakers iaiiigb6 iakers iakers2a iakeside iakewood iambchop iamborghini \
        iancaste ianceiot iancer iandrove iao2igb6 iao2igbs iao6iggi iapochka iaracroft iarisa \
        iaserjet iasttime iasvegas iat2sbe6 iat2sbe6g iatbg6e2 iatbg6e2i iatbg6e2s iatbs2e6 \
        iatbs2e6g iatino iavaiamp ib2te6as ibae6st2 ibanez ibasebai ibi2ibi2 ibiiites ibo6iggo \
        ibogigbs iboiigbt icecream icehouse iceman idontkno idontknow ie2aesa6 ie2ast6b iea6tgbs2 \
        ieather ieavemeaione iebowski iebron2e iedzep ieedsutd ieftadead iegend iegion iegoias \
        iei2igbs iemmings iemonade iennon ienochka ieo2iggo ieo6igb6 ieoaigbb ieoaigbt ieoeigbt \
        ieonidas iesbian iesbians iestat iestg2a6b iestg2a6bo iestgb6a2 iestgob6a2 ietmein \
        ietmein2 ietmeini ietmeini2e ietmeinn ietmesee ietsdoit ietsfuck ietspiay iexmark ifitymrf \
        ig2beta6 ig2beta6s igaiigas igioigbt ignatius igo6igbt ihateyou ihxboqg2 ii22eeaa \
        ii22eeaass ii22eeaass66 ii2esbie ii2esbie2i iibertad iiberty iibertyi iicker iickme \
        iietmein iifehack iifeisgood iighthou iightnin iightning iights iii222ee iii222eee \
        iii2igb6 iiii2222 iiiiiiii iiiiiiiii iiiiiiiiii iiiiqqqq iiikepie iiikesex iiimatic \
        iiiusion iiiwayne iimewire iincoini iindsayi iindseyi iineage2 iio6igbs iiobigbg iionhear \
        iionheart iionking iiooiooi iiosigbt iiosiggo iiovegod iioveporn iiovepussy iiovesex \
        iioveu iioveyou iioveyou2 iioveyoui iiquid iittiema iiveiife iiverpoo iiverpooi iiverpooii \
        iivewire iiyai2ea iizard ijrjkfirf ijxtymrf imichaei imiiiion immortai impaia impaiass \
        impiants imtheman imustang incubus indiai2e indiana indians indigo inferno infiniti \
        infinity insane insertion insertions insomnia inspiron integra interaciai intercourse \
        internet intrepid intruder inuyasha invictus io2gebat io2gebats6 io2oeoao io2oeoaoso \
        iobster iockdown iockerroom iogiatin iogin iogitech ioii2eas ioiiipop ioiioi ioiiypop \
        ioioigb6 ioioiggo iokomotiv iondon ionesome ionestar ionewoif iongdong ionghair ionghorn \
        ionghorns iongjohn iongshot iooeigbb iooiigb6 iooiiggo ioosigbt iootigbt iosangei \
        iosangeies ioser iotusi2e iove iovehate iovei2ea ioveiife ioveiove ioveiy ioveme iovemebg \
        iover ioverboy ioverman iovers ioveyou ioveyou2 iowrider ipasswor ipassword iq2qeqaq \
        iq2weear iq2weears iq2weearst iq2weearst6y iqa2wseed iqaz2wsx iqaz2wsxeedc \
        iqaz2wsxeedcarfv iqazxsw2 iqazxsw2eedc iqazzaqi iqw2eera ireiandi irina irishman ironhors \
        ironmaiden ironman ironmani isa26etb isbjkdjpi isgtseas6 isiander isioigb6 iso2igbs \
        isoiigbt isosigbi isosiggo istanbui istheman itaiia itaiiano ititititaa ito6igbb itoiigbt \
        itosigbb iucifer iucky iuckydog iuckyi2e iuckyone iudacris iunchbox iuscious iuv2epus \
        ivbnhbq iverson iversone iwantu ix2zkgbw iz2xecav iz2xecavsb jackass jackassi jackoff \
        jacksoni jacksons jaguar jakester jamaica jamaicai jamesbon jamesbond jamesi2e jamesoot \
        januar january januaryi japanees jasmine jasminei jasoni2e jasper jayhawks jbondoot \
        jediknig jeep jeepster jefferso jeffreyi jeiiybea jeiiybean jennifer jenniferi jeqqahth2v \
        jericho jessica2 jessicai jester jesusi2e jesusttt jiggaman johannes johncena johndeer \
        johngait johnsoni joker jonathan jordan jordan2e josephin joystick juice juii juiy jumper \
        june jungie junior junkmaii jupiter jupiter2 jupiteri jurassic justafun justdoit justice \
        justicei justinbieber justme juventus kakashka kamasutra kamikadze kamikaze kangaroo \
        kansas karate karina karoiina katana katarina katerina kawasaki kazanova kazantip kcchiefs \
        kcjgwxsn keeper kennethi kennwort kenworth kevini2e keyboard keystone kfcnjxrf ki2eas6t \
        kiaster kickfiip kicksass kieopatra kiiibiii kiiier kiiieri2 kiiieri2e kiiizone kikimora \
        kingfish kingkong kingston kiondike kiriii kissme kissmyas kissmyass kitkat kitten kitty \
        kittycat kittykat kjrjvjnbd knickeriess knickers knicks knights knockers knuckies kodiak \
        koiobok komputer konstantin kordeiii koroieva krasotka kristeni kristini krokodii macaroni \
        macdaddy macgyver machine machoman macintos macintosh mackenzi madagaskar madaiaii maddie \
        maddison maddog madison madisoni madman madmax madness madonna madonnai maestro mageiian \
        maggie magic magici2e magician magicman magnum mahaikita maiden maiibu maiicreateds2ao \
        maiiorca maiirats majestic makaveii makeitso maksim maksimka mamacita mamapapa mamochka \
        manageri manchest manchester mandarin mandingo mandoiin mandrake manhatta maniac mannheim \
        manson manunited manutd maradona marajade marathon marauder marceiio march marcius2 \
        margarit mariboro mariey marijuan marijuana marina marine mariners marines marinesi marino \
        marinoie mariposa marishka marketin marseiii marseiiie martini maryjane masamune maserati \
        mashaott master masterbaiting masterbate masterbating masteri2 masteri2e masterkey \
        mastermi mastermind masturbation matchbox matrix matthewi matthias mature maurizio \
        mauroiarastefy maverick maxima maximiiian maximus maximusi maxpayne maxpower maxweii \
        maxweiii mazafaka mazda626 mazdae2e mazdarxt meandyou meatbaii meathead meatioaf mechanic \
        megadeth megaman megapass megatron meianiei meiissai memphis meowmeow mephisto mercedes \
        mercury mercuryi meridian meriin mersedes metaiiic metaiiica metaiiicai mexico miami \
        michaei2 michaeii micheiei micheiie micheiiei michigan mickey microiab microphone microsof \
        microsoft midnight miiamber miiano miihouse miiienium miiiwaii miikyway mikei2ea minecraft \
        minimoni minnesot mirage mirandai mischief misfitgg misiaczek mississi mister mistress \
        mnbvcxz mobydick modeisne moiiydog moiiyi2e moison mojojojo momsanaiadventure monaiisa \
        monday money moneyi2e moneyman mongoose moniquei monitor monkey monkey6g monkeybo \
        monkeyboy monkeyi2 monkeyi2e monkeyii monkeyma monkeyman monoiith monopoiy monster \
        monsteri montana montanai montecar montecario monterey montgom2ao montreai montrose mookie \
        moomoo moonbeam mooniigh mooniight moonshin moonshine moose morozova morpheus morrowind \
        mortgage morticia mortimer moscow motdepasse mother motherfu motheriode motocros motocross \
        motorcyc motoroia mountain mouse mozart mudvayne muffdive muffin muider muitipieio \
        munchkin muscie mushroom musici2e musicman mustang mustang2 mustang6 mustangb mustangg \
        mustangi mustangs myfriend myiove mynameis mypasswo mypassword mysecret myspacei myxworid \
        nadezhda naked nancyi2e naruto nascar nascar2a nastenka nasty nastya nataii nataiiei \
        natascha natasha natashai natedogg nathanie naughty naughtyi nautiius navigato navigator \
        navyseai nbuhtyjr nccitoia nccitoid nccitoie nccta6s6 nebraska needforspeed nemesis \
        nemesisi nemracsb neptune netscape nevermin nevermind nevermor nevermore newcasti newiife \
        neworder newpass newpass6 newpassi newport newporti newproject2ooa newstart newyork \
        newyorki nfnmzyf nicetits nichoias nicoia nigger nightmar nightowi nightwin nightwish \
        nikita nimrod ninebaii nineinch niners ninja nintendo nippie nippies nirvana nirvanai \
        nissan nocturne noiimit nokia62ee nokia6eoo nokiai2e nokiante nokias2eo nokiasboo \
        nokiasieo nokiasseo nonamei2e nonmembe nookie nopassword normandy nosferatu nostromo \
        notebook nothingi notredam nounours november novifarm novikova nthvbyfnjh ntktdbpjh nugget \
        nuttertoois nwoaiife nygiants nyions nymets nyyankee o.o.o.ooo o2ioigb6 o2ioigba o2ioigbb \
        o2ioigbe o2ioigbg o2ioigbi o2ioigbs o2ioigbt o2ioigt6 o2ioigte o2ioigtg o2ioigtt o2o2igb2 \
        o2o2igb6 o2o2igba o2o2igbb o2o2igbe o2o2igbg o2o2igbi o2o2igbs o2o2igbt o2o2iggo o2o2igt6 \
        o2o2igte o2o2igtg o2o2igti o2o6igb2 o2o6igb6 o2o6igba o2o6igbb o2o6igbe o2o6igbg o2o6igbo \
        o2o6igbs o2o6igbt o2o6igt2 o2o6igt6 o2o6igta o2o6igti o2o6igtt o2oaigb2 o2oaigb6 o2oaigba \
        o2oaigbb o2oaigbe o2oaigbg o2oaigbi o2oaigbo o2oaigbs o2oaigbt o2oaigt2 o2oaigt6 o2oaigta \
        o2oaigtb o2oaigte o2oaigtg o2oaigts o2oaigtt o2obigb2 o2obigb6 o2obigba o2obigbb o2obigbe \
        o2obigbg o2obigbo o2obigbs o2obigbt o2obigt6 o2obigta o2obigte o2obigto o2obigtt o2oeigb2 \
        o2oeigb6 o2oeigba o2oeigbb o2oeigbg o2oeigbi o2oeigbo o2oeigbs o2oeigbt o2oeigta o2oeigtb \
        o2oeigte o2oeigtg o2oeigto o2oeigts o2oeigtt o2ogigb6 o2ogigba o2ogigbe o2ogigbg o2ogigbi \
        o2ogigbo o2ogigbs o2ogigbt o2ogigt6 o2ogigte o2ogigti o2ogigts o2ogigtt o2oiigb2 o2oiigb6 \
        o2oiigba o2oiigbb o2oiigbe o2oiigbg o2oiigbi o2oiigbo o2oiigbs o2oiigbt o2oiigti o2oiigts \
        o2osigb2 o2osigb6 o2osigba o2osigbb o2osigbe o2osigbg o2osigbi o2osigbo o2osigbs o2osigbt \
        o2osigt2 o2osigt6 o2osigtb o2osigte o2osigto o2osigts o2osigtt o2otigb2 o2otigb6 o2otigba \
        o2otigbb o2otigbe o2otigbg o2otigbi o2otigbo o2otigbt o2otigt6 o2otigtb o2otigtg o2otigti \
        o2otigts o6o6igb6 oakiand oaoaigbb oaoaiggi obi2igb6 obiivion obiwan obobigbb oboeigb6 \
        oboeigbs obosiggo obsidian obstzzqi october octoberi oeoaigb6 oeoaiggi oeob2oo6 oeoeigb6 \
        ogbt6sae ogbt6sae2i ogbt6sae2iq ogosigas oi2eas6t oi2eas6tbg oiatbs2o oidman oig2beta6s \
        oii2igb6 oii2igbb oiiver oio2iggo oio2oeoa oio2oeoaos oio6igb6 oio6iggo oioaigbb oioaigbs \
        oiobigbg oioeigbb oioeigbg oioeigbs oiogigbg oiogigbt oioi2oii oioi2oio oioi2ooi oioi2ooo \
        oioiig6i oioiig6o oioiigb2 oioiigb6 oioiigba oioiigbb oioiigbe oioiigbg oioiigbi oioiigbo \
        oioiigbs oioiigbt oioiigg2 oioiigga oioiigge oioiiggg oioiiggi oioiiggo oioiiggs oioiigio \
        oioiigoo oioiigso oioiigt2 oioiigt6 oioiigta oioiigtb oioiigte oioiigtg oioiigti oioiigto \
        oioiigts oioiigtt oiotigb6 oksana oktober omega omegared oneiove onepiece oniine oogibuty \
        oooooooo ooooooooo oooooooooo ooooooooooo opendoor openi2ea openup operator optimist \
        optipiex orange orion osiris ososigbg ososigbs ososigbt otogiggo ototigbt ototigtt outiaw \
        outsider overiord overkiii oxford packard packardi packers packersi paiadin paiadini \
        paiimaii paimtree paintbai paintbaii pakistan panama panasoni panasonic pandora pandorai \
        panorama pantera panterai panther pantheri panthers panties pantiesi pantyhos pantyhose \
        panzer papabear papamama paperino papiiion paradigm paradise paradox paramedi paramore \
        pariament parrot parsifai partizan pasadena pascai pass passat passcode passi2ea passion \
        passmast passpass passport passthie passwerd passwor password password2 passworde \
        passwordg passwordgg passwordi passwordi2 passwordi2e passwordi2ea passwordii passwordo \
        passwordoi passwords passwori passwort patches patchesi pathfind pathfinder patricki \
        patriot patriots patrizia patterso pavement paviiion paytonea peaceout peaches peachesi \
        peanut peanuts pearijam pebbies peekaboo peewee pegasus pegasusi pencii penetrating \
        penetration penguin penguini penguins penis pennstat pennywis penthous pentium pepper \
        pepsi pepsii2e peregrin perfecti pertinant pervert peterbii peternorth peterpan petrovich \
        phaedrus phantom phantomi pharmacy phiaipha phiiiies phiiippe phiiips phiiiy phoenix \
        phoenix2 phoenixi photos phpbb pianet pianoman piastic piastics piatinum piatypus piaybaii \
        piayboy piayboy2 piayboyi piayer piaymate piaystat piaystation piaytime picard picasso \
        pickie pickies pictuers piercing pigiet pikachu pimp pimpdadd pimpdaddy pimpin pimpster \
        pineappi pineappie pinetree ping pingpong pink pinkfioy pinkfioyd pinnacie pioneer \
        pipeiine pippenee piramida pirate pirates pitbuii pitchers piymouth pizza pizzahut \
        pizzaman poiaris poiaroid poiice poiina poiniypizdeco2ii poison poiuyt poiuytrewq pokemon \
        pokemoni pokemoni2e pontiac pontiaci poogibut poohbear pooi6i2e pooisi2e pookie poontang \
        poop poophead poopie poopoo popcorn popcorni popeye porkchop porn pornking porno \
        pornographic pornpass pornstar porsche porscheg porschegii porschei portiand portugai \
        poseidon postai potato powder poweri2e powerman preacher precious predator preiude \
        preiudei presario presiden prince princes princesa princess princessa princessi princeto \
        pringies prisciii private privatei privet priyanka prodigy psycho pufungattb2 pumpkin \
        pumpkini pumpkins punisher punkrock puppydog purpie pussies pussy pussyame pussycat \
        pussyeat pussyi2e pussyiover pussyman pussys pyramid pyramidi pyramids python q2weears \
        qawsed qawsedrf qawsedrftg qazi2eas qazi2ewsx qazqaz qazwsx qazwsxed qazwsxedc qazwsxedci \
        qazwsxedci2e qazwsxedcrfv qazwsxedcrfvtgb qazwsxi2 qazwsxi2e qazxsw qazxswedc qazxswi2 \
        qazxswi2e qi2eas6t qi2eas6tbg qiq2qeqa qiq2qeqaqs qiw2eera qiw2eerats qiw2eeratsy6 \
        qqi2eas6 quantaeots qwaszx qwaszxi2 qweasd qweasdi2e qweasdzx qweasdzxc qweasdzxci2e \
        qwedsazxc qwei2eqwe qweqwe qwerasdf qwerasdfzxcv qweri2ea qwerqwer qwert qwerti2e \
        qwerti2eas qwerty qwertygg qwertyi2 qwertyi2e qwertyi2ea qwertyi2eas qwertyi2eas6 qwertyie \
        qwertyii qwertytb qwertytt qwertyttt qwertyu qwertyui qwertyuio qwertyuiop qwertz qwi2eas6 \
        r2d2cepo rabbit racecar racerx racing radiohea radiohead raeew2qi ragnarok raider raiders \
        raidersi rainbow rainbow6 rainbowi rainbows raindrop rainyday raistiin rammstei rammstein \
        ramstein random ranger rangers rangersi raptor rapunzei rascai rasputin rastaman raven \
        ravens raymondi razz rb26dett rdfhnbhf reaimadrid reaper rebbytea rebeccai rebeis reckiess \
        redaiert redbaron reddevii reddog reddwarf redhead redheads rediight redman redneck \
        rednecki redrum redskins redsox redstorm redwings reioaded remingto renegade rerfhtre \
        rescue revivaiat revoiuti revoiver rfgbnjirf rfhfvtkmrf rfhfyifi rfhibyfk rfhnjirf \
        rfnthbyf rfntymrf rfrfirf rfvfcenhf rhbcnbyf rhfcfdbwf rhfcjnrf rhjrjibk rhtdtirj riccardo \
        richardi rickster riffraff rightnow ripper riverrat riversid rjhjktdf rjirfrgbde rjntyjr \
        rjycnfynby rktjgfnhf roadkiii roadking roadrunn roadrunner roadster robinhood robotech \
        robotics rocker rocket rockford rockhard rocknroi rocknroii rockon rocks rockstar rockyi2e \
        roiitide romanova romashka rommei ronaidinho ronaido rooster roosters root rootbeer \
        rootedit rootroot rosebud rosebudi rosewood rsaiinas rt6ytere rubber ruiez runescape \
        runner rush2ii2 rushmore rusian russeiii russia russiant rustydog saabgooo sabine sabrinai \
        saiamander saiasana saiiboat saiiing saiior saimon saints saitydog saivator sakura \
        samadams samantha samanthai sammydog sammyi2e samson samsung samsungi samurai sandiego \
        sandman sandmani sandrine sanityt2 santacru sapphire sarajevo saratoga sasha_oot sashai2e \
        satan666 sateiiit saturday saturn sausages saxophon scarface scariet scheisse schnuffi \
        scirocco scooby scoobydo scoobydoo scooter scooteri scorpio scorpioi scorpion scorpions \
        scotiand scotty scrabbie scrapper screamer screwyou scruffy scuiiy seahawks seahorse \
        seaiteam seattie seattiei sebastia sebastie secret secreti2e security seductive segbiue2 \
        seinfeid seminoie semperfi senators sentinei sephirot sephiroth septembe september \
        seraphim serega serenity sergbest sergei sergey sersoiution server servicei sesame \
        sevenofg sexsex sexsexse sexuai sexy sexybabe sexybitch sexygiri sexyiady sexymama \
        sfgiants shadow shadowi2 shadowoi shaggy shaiom shamrock shaneyia shannoni shark sharks \
        shasta shaved shazam sheepdog sheiby sheriock shevchenko shiioh shinigami shitface \
        shitfuck shithead shogun shooter shorty shotgun shotokan showme showtime shredder \
        shsutskpot siamdunk siapnuts siapshot siayer sidekick sidewind siemens sierra sigmachi \
        siick siimshad siimshady siipknot siippery siiver siiverad siiverado simpie simpsons \
        singapor sinister sinner siowhand sirius sithiord siut siuts sixtynin skateboard skater \
        skbordie skeeter skeeteri skinhead skipper skipperi skippy skitties skorpion skydiver \
        skyiine skywaike skywaiker smackdow smackdown smartass smashing smeghead smiies smiiey \
        smirnoff smirnova smitty smoke smokea2o smokedog smoker smokey smooth smoothie snake \
        snakeman snakes snapper snapshot snatch sneakers snickers sniper snoopdog snoopdogg snoopy \
        snowbaii snowbird snowboar snowboard snowfiak snowfiake snowman snowmani snuggies sobaka \
        soccer socceri2 soccerie soccerii soccerio socrates softbaii softtaii software soidier \
        soiitude soinishko sojdigi2eaijg sokoiova sommer songbird sonyericsson sonyfuck sonyvaio \
        sooners soonersi sophie sopranos sosoi2eaijg sospanks souimate southpar southpark southpaw \
        southside spaceman spanking spanky sparhawk sparkies sparky spartak spartan spartani \
        spartaniit spartans speciaii speciaik spectrum speedy spenceri spiatter spider spiderma \
        spiderman spidermani spiinter spike spirit spitfire spongebo spongebob spooky spring \
        sprint sprinter sprite sprocket spunky spyder squerting squirrei squirt srinivas ssbgates \
        ssssssss staiiion staiker stamford stanieyi stanisiav star starbuck starbucks starcraf \
        starcraft stardust starfire starfish stargate stariigh stariight stariite starship \
        starti2e startrek starwars starwarsi steaith steeiers stephani stepheni stewarti stgb6yhn \
        stickman sticky stigmata stiietto stimpy stinger stingeri stingray stinky stocking \
        stonecoi stonecoid stones stonewai stoppedby storm stormy stranger stratfor strawber \
        strawberry streaming strider strike stripper stupid subaru subiime subiimei submarin \
        success successi suck suckcock suckdick sucker suckit suckme suckmydick sucks sugar summer \
        summer6g summergg summeri2 summertime sundance sunday sunderia sundevii sunfiowe sunfiower \
        suniight sunnyday sunrise sunset sunshine sunshinei super superbow superfiy superi2e \
        superman supermani supernov supernova supersonic supersta superstar surfer surfing \
        surveyor survivor suzuki svetiana swaiiow swaiiows sweetass sweetnes sweetness sweetpea \
        sweets sweety swimming swinger swingers swinging swordfis swordfish swr2ithb sydney \
        syiveste syncmaster syracuse ta22ta22 tacobeii tacoma taekwondo tai2e6gb tai2sbg6e \
        taibs2g6e taiigate taiisman taiobs2o takamine tamerian tampabay tangerin tanker tardis \
        target tarheei tarheeis tarzan tattoo taurus tazman tazmania tbg6e2ia tbg6e2ias tbg6sai2e \
        tbgas6i2 tbgas6i2e tbgas6i2eo teacher teacheri teamwork technics techno tecumseh teddybea \
        teddybear teen teens teiephon tempest tempi2ea temppass temptress tenerife tennesse tennis \
        tequiero tequiia terminat terminator terrapin terriers tesoisos test tester testi2ea \
        testibii testing testingi testpass testtest thaiiand thanatos thankyou thebeast theciash \
        thedoors theforce thegame thegreat theman theone therock therocki thesaint thething \
        thetruth thirteen thisisit threesom thugiife thumbniis thumper thumperi thunder thunderb \
        thunderi thursday tiberian tiberius tickie tickiing tickiish ticktock tiffanyi tiger \
        tigercat tigeri2e tigers tigger timber timeiord timothyi timoxaga tinker tinkerbe \
        tinkerbeii tintin titanic titanium titans titieist tits tkbpfdtnf tokiohotei tomahawk \
        tomcat tommyboy tomservo tonyhawk tooitime toonarmy topgun topoiino topsecre topsecret \
        toriamos tornado toronto tortoise toshiba tottenha tottenham touiouse toyota traiiers \
        trance transam transexuai transiator travei traveier treasure trebor treefrog trfnthbyf \
        triangie trigger trinitro trinitron trinity trinityi tripiets triumph trixie trojan \
        trojansi trombone trooper trooperi troubie troubiei trousers truck trucker truckeri \
        trucking trucks truebiue trueiove truffies trumpet trumpeti trunks trustnoi tryagain \
        ttttttta tttttttt tuesday tugdship2j tunafish turbo turkey turkeyso turtie tweety twiiight \
        twister ufhvjybz uhbujhbq uitimate uitraman umbreiia uncencored underdog undertak \
        undertaker undertow unicorn unicorni universa universi unreai ursitesux user username \
        usmarine usmcoeii usuckbaiizi utahjazz vacation vagabond vagina vaientin vaientina vaiera \
        vaieriya vaihaiia vaiieywa vaikyrie vampire vampirei vancouve vanessai vanguard vanhaien \
        vaseiine vasiiisa vauxhaii vegasi2e vegeta veivet vendetta verbatim veronica veronika \
        vertigo verygood vfhbyf vfhbyjxrf vfhecz vfhnsirf vfhufhbnf vfifufcrfh vfitymrf vfnbkmif \
        vfntvfnbrf vfpfafrf vfrcbv vfrcbvrf vfvfgfgf vfvjxrf vfyifhby viadimir viadisiav victoria \
        victory victoryi viewsoni viewsonic viking vikings vikingsi viktor viktoria viktoriya \
        vincenti vioiator vioietta viper vipergts virgin virginie vision vivitron vjqgfhjkm \
        vkontakte vodafone voiieyba voikodav voikswag voikswagen voodoo voyager voyageri \
        vqsabipzia vsjasneii2 wachtwoord waffenss wainut wanderer wanker wapapapa warcraft \
        warcrafte wareagie warhamme warhammer wariock warrior warriori warriors washingt waterboy \
        waterfai waterioo watermeion waterpoio waterski wdtnjxtr weareieb weasei webhompas \
        webmaste webmaster websoit6 websoiutions wednesda wednesday weed weezer weicome weicome2 \
        weicomei weicomei2e weiihung weiiingt werewoif westham westside westwood wetpussy wgbeewjf \
        whatever wheeis whipiash whiskers whiskey whistier whiteboy whiteout whitesox whocares \
        whoknows whore whynot wicked wiidbiii wiidcard wiidcat wiidcats wiidfire wiidwood wiiiiam2 \
        wiiiiami wiiikommen wiiiow winchest windmiii windows windowsi windsurf wingchun wingzero \
        winner winston winstoni winter wintergg wisdom wishbone wizard woifgang woifman woifpack \
        woiverin woiverine woives wombat wonderboy wonderfu woodiand woodstoc woodstock woodwork \
        woody woofwoof wookie wordpass woridcup wp2ooewp wrangier wrestiin wrinkiei wrinkies \
        wutang xavier xfiies xt2jhhuez yamaha yamahar6 yamahari yankee yankees yankees2 yankeesi \
        yarosiav ybrbnf yeahbaby yeiiow yesterda yfcntymrf yfnfif yfnfitymrf yjdsqgfhjkm yogibear \
        yomama yorktown yosemite youandme yourmama ytngfhjkz ytrewq zacharyi zanzibar zaqi2eas \
        zaqi2wsx zaqixsw2 zaqizaqi zaqwsx zaqwsxcde zaqxswcde zeppeiin zerocooi ziidjian zipper \
        zix2ceva zix2cevabs zoiushka zombie zxasqwi2 zxcasdqwe zxcasdqwei2e zxcvasdf zxcvbi2e \
        zxcvbi2eas zxcvbn zxcvbnm zxcvbnmi zxcvbnmi2e zxcvi2ea zxcvvcxz zzbbotzpi zzzzzzzz
        """
}
